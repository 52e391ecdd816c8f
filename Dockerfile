# The Hub's image: Hub, proxy, portal and worker. docs/admins.md says how to run it; build it with `make hub-image`.
ARG BASE_IMAGE=debian:trixie-slim


# What the running hub needs from Debian. Nothing is left of apt's lists and logs.
FROM ${BASE_IMAGE} AS system
RUN --mount=type=secret,id=ca,mode=0444 \
    set -e; \
    if [ -s /run/secrets/ca ]; then set -- -o Acquire::https::CAInfo=/run/secrets/ca; fi; \
    apt-get "$@" update -q; \
    apt-get "$@" install -qy --no-install-recommends ca-certificates nodejs python3; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/*.log /root/.cache


# Python's environment and the proxy are made here, with the tools that stay behind.
FROM system AS build
RUN --mount=type=secret,id=ca,mode=0444 \
    set -e; \
    if [ -s /run/secrets/ca ]; then set -- -o Acquire::https::CAInfo=/run/secrets/ca; fi; \
    apt-get "$@" update -q; \
    apt-get "$@" install -qy --no-install-recommends npm python3-venv
WORKDIR /opt/proxy
COPY package.json package-lock.json ./
RUN --mount=type=secret,id=ca \
    set -e; \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --omit=dev --no-audit --no-fund --no-update-notifier
# What it depends on comes first, so that a change of our own code is built in seconds.
WORKDIR /build
COPY setup.cfg requirements.lock ./
RUN --mount=type=secret,id=ca \
    --mount=type=secret,id=pip \
    set -e; \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi; \
    if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi; \
    python3 -c 'import configparser; f = configparser.RawConfigParser(); f.read("setup.cfg"); \
        print(f["options"]["install_requires"], f["options.extras_require"]["postgres"])' >needed.txt; \
    python3 -m venv /opt/sophon; \
    /opt/sophon/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --progress-bar=off \
        --only-binary=:all: -c requirements.lock -r needed.txt setuptools
COPY . ./
RUN set -e; \
    /opt/sophon/bin/pip install --no-index --no-deps --no-build-isolation --no-compile --progress-bar=off '.[postgres]'; \
    /opt/sophon/bin/pip uninstall -qy setuptools pip; \
    /opt/sophon/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/sophon/lib


FROM system
RUN useradd --system --uid 1000 --user-group --home-dir /srv/sophon --shell /usr/sbin/nologin sophon \
    && install -d -o sophon -g sophon -m 0700 /srv/sophon
COPY --from=build /opt/proxy /opt/proxy
COPY --from=build /opt/sophon /opt/sophon
COPY jupyterhub_config.py /etc/sophon/jupyterhub_config.py
COPY --chmod=0755 deploy/container/start deploy/container/healthy /opt/sophon/container/
ENV PATH=/opt/sophon/bin:/opt/proxy/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    SOPHON_DATA_DIR=/srv/sophon
LABEL org.sophon.title="Sophon Hub" \
      org.opencontainers.image.title="Sophon Hub" \
      org.opencontainers.image.description="Hub, proxy, portal and worker of a Sophon Hub." \
      org.opencontainers.image.licenses="BSD-3-Clause"
USER 1000:1000
WORKDIR /srv/sophon
VOLUME /srv/sophon
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 CMD ["/opt/sophon/container/healthy"]
CMD ["/opt/sophon/container/start"]
