#!/bin/sh
# Makes the freshly installed environment $1 small and quick to start.
set -eu
env=$1
site=$(echo "$env"/lib/python3*/site-packages)

# jsonschema finds this optional format checker, and importing it builds a parser for one second at every start. No schema
# of Jupyter uses the format.
"$env/bin/pip" uninstall -qy rfc3987-syntax lark

# A lab serves JupyterLab's pages, never the Hub's; the classic notebook is not installed.
rm -rf "$env/share/jupyterhub/static" "$env/share/jupyter/nbextensions" "$env/share/man" "$env/include"
# Folders called tests, not numpy.testing, which is public. Translations of languages no menu of a lab is shown in.
find "$site" -type d -name tests -prune -exec rm -rf {} +
find "$env" -name '*.map' -path '*/static/*' -delete
find "$site/babel/locale-data" -name '*.dat' \
    ! -name 'root.dat' ! -name 'en*.dat' ! -name 'de*.dat' ! -name 'fr*.dat' ! -name 'it*.dat' ! -name 'es*.dat' \
    ! -name 'gd*.dat' -delete

# The server must start whatever somebody has installed below their home: its scripts do not look there. Kernels do.
for script in jupyterhub-singleuser jupyter-lab jupyter-labhub jupyter-server; do
    [ ! -f "$env/bin/$script" ] || sed -i '1s/python[0-9.]*$/& -s/' "$env/bin/$script"
done

# Modification times do not survive every way an image travels; hashes that nobody checks do, and are the fastest.
find "$env" -name __pycache__ -prune -exec rm -rf {} +
"$env/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
chmod -R u=rwX,go=rX "$env"
