#!/usr/bin/env bash
# minio.sh COMMAND…: runs a command beside a MinIO of its own, which is built into ~/.cache the first time. MinIO is AGPL:
# it is only a process that tests talk to.
set -euo pipefail
VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
cache=$(realpath -m "${XDG_CACHE_HOME:-$HOME/.cache}/konstruct-s3")
minio=$cache/minio-$VERSION
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT

if [ ! -x "$minio" ]; then
  command -v go >/dev/null || { echo "$0: go (1.26 or newer) is not on the PATH" >&2; exit 1; }
  mkdir -p "$cache"
  CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false" GOBIN=$work/bin nice -n 5 go install "github.com/minio/minio@$VERSION"
  mv "$work/bin/minio" "$minio"
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export AWS_ACCESS_KEY_ID=konstruct-test AWS_SECRET_ACCESS_KEY=konstruct-test-secret AWS_REGION=us-east-1
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ALLOW_HTTP=true KONSTRUCT_TEST_S3=s3://files
# A folder is a bucket.
mkdir -p "$work/data/files"
MINIO_ROOT_USER=$AWS_ACCESS_KEY_ID MINIO_ROOT_PASSWORD=$AWS_SECRET_ACCESS_KEY MINIO_UPDATE=off MINIO_BROWSER=off \
  "$minio" server --quiet --address "127.0.0.1:$port" "$work/data" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 300); do
  curl --silent --fail --output /dev/null "$AWS_ENDPOINT_URL/minio/health/ready" && break
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.1
done
"$@"
