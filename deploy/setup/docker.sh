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
    log=/var/log/dockerd.log
    say "starting the Docker engine (no init system here does it); its log is $log"
fi
engine=""
for _ in $(seq 120); do
    answers && exit 0
    if [ ! -d /run/systemd/system ] && ! { [ -n "$engine" ] && kill -0 "$engine" 2>/dev/null; }; then
        # an engine that was killed leaves numbers of processes that are dead or somebody else's by now
        for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
            if [ -s "$file" ] && [[ ! $(readlink "/proc/$(cat "$file")/exe") =~ /(dockerd|containerd)$ ]]; then
                rm -f "$file"
            fi
        done
        setsid nohup dockerd >>"$log" 2>&1 </dev/null &
        engine=$!
    fi
    sleep 0.5
done
die "The Docker engine does not answer after a minute. $advice"
