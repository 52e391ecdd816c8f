#!/usr/bin/env bash
# Makes sure that a Docker engine answers: installs Debian's when there is none, and starts it.
. "$(dirname "$0")/lib.sh"

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
answers && exit 0

advice="Start a Docker engine, or look around without containers: SOPHON_SPAWNER=process make run"
is_root || die "No Docker engine answers. $advice"
command -v dockerd >/dev/null || apt_install "a Docker engine to run labs in" docker.io iptables ca-certificates

if [ -d /run/systemd/system ]; then
    say "starting the Docker engine with systemd"
    systemctl start docker
else
    # an engine that was killed leaves its number, which may be another process's by now
    for name in docker docker/containerd/containerd; do
        file=/var/run/$name.pid
        [ -s "$file" ] && ! grep -qE '^(dockerd|containerd)$' "/proc/$(cat "$file")/comm" 2>/dev/null &&
            rm -f "$file"
    done
    log=/var/log/dockerd.log
    say "starting the Docker engine (no init system here does it); its log is $log"
    setsid nohup dockerd >>"$log" 2>&1 </dev/null &
fi
for _ in $(seq 120); do
    answers && exit 0
    sleep 0.5
done
die "The Docker engine does not answer after a minute. $advice"
