# One image for every role: the executable and the certificate authorities, nothing else.
#
#   docker build --tag konstruct .                      compiles it here
#   docker build --target prebuilt --file Dockerfile DIR  takes DIR/konstruct, linked as below
FROM debian:bookworm-slim AS certificates
RUN dpkg --status ca-certificates >/dev/null 2>&1 \
 || { apt-get update && apt-get install --yes --no-install-recommends ca-certificates; }

FROM scratch AS base
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/konstruct"]

FROM base AS prebuilt
COPY konstruct /konstruct

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Statically linked against the GNU C library, so that an empty root file system is enough. A target named explicitly
# keeps the flag away from build scripts and procedural macros, which must be dynamic.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --package konstruct-konstruct --target "$target" \
 && mv "target/$target/release/konstruct" /konstruct

FROM base AS konstruct
COPY --from=build /konstruct /konstruct
