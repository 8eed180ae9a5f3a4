# shellcheck shell=bash disable=SC2034
# Settings and helpers of the scripts here. Sourced, not run.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$(realpath -m "${KONSTRUCT_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/konstruct-cluster}")
BIN=$CACHE/bin

# Where Docker runs and kind is installed, kind makes the cluster; else the scripts here do.
use_kind() { [ "${KONSTRUCT_CLUSTER:-}" != local ] && command -v kind >/dev/null && docker info >/dev/null 2>&1; }
KIND_NAME=konstruct

if use_kind; then
  STATE=$CACHE/kind
else
  STATE=/var/lib/konstruct-cluster # data, certificates, logs
fi
RUN=/run/konstruct-cluster # sockets, pid files
LOGS=$STATE/logs
AUDIT_LOG=$LOGS/audit.log
KUBECONFIG_ADMIN=$STATE/admin.kubeconfig

NODE=lab
NODE_BRIDGE=kc-node NODE_IP=10.99.0.1 # the API server's and the node's address; no traffic leaves by it
POD_BRIDGE=kc-pods POD_CIDR=10.244.0.0/16
SERVICE_CIDR=10.96.0.0/16 SERVICE_API=10.96.0.1 SERVICE_DNS=10.96.0.10

say() { echo "$*" >&2; }
die() { say "$0: $*"; exit 1; }

need_root() { [ "$(id -u)" = 0 ] || die "run me as root"; }

# need_packages NAME...: installs the Debian packages that are missing.
need_packages() {
  local missing=() p
  for p; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; }
}

# start NAME COMMAND...: runs it in the background, with a pid file and a log.
start() {
  local name=$1
  shift
  setsid "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
  echo $! >"$RUN/pids/$name"
}

# wait_for SECONDS WHAT COMMAND...: retries the command until it succeeds.
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "no $what in time; see $LOGS"
    sleep 0.3
  done
}

kube() { "$BIN/kubectl" --kubeconfig "$KUBECONFIG_ADMIN" "$@"; }
images() { ctr --address "$RUN/containerd.sock" --namespace k8s.io images "$@"; }

# image NAME DIR TAR [WORD...]: packs DIR as the root of image NAME with WORDs as its entry point.
image() {
  local name=$1 dir=$2 out=$3 work digest entry
  shift 3
  work=$(mktemp -d)
  entry=$(printf '"%s",' "$@")
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$dir" -cf "$work/layer.tar" .
  digest=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  cat >"$work/config.json" <<JSON
{"architecture":"$(dpkg --print-architecture)","os":"linux","config":{"Env":["PATH=/bin"],"Entrypoint":[${entry%,}]},
 "rootfs":{"type":"layers","diff_ids":["sha256:$digest"]}}
JSON
  echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$name\"],\"Layers\":[\"layer.tar\"]}]" >"$work/manifest.json"
  tar -C "$work" -cf "$out" manifest.json config.json layer.tar
  rm -r "$work"
}
