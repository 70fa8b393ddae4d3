#!/bin/sh
# Installs the Debian (or Ubuntu) packages that elbo needs and this machine lacks. `packages.sh test` adds those of the
# tests, `packages.sh photos` what reading photographs needs, which elbo builds without, `packages.sh fuzz` a clang that
# fuzzes, `packages.sh browser` what tests the explorer's page, `packages.sh arm64` a compiler for ARM and what runs its programs.
# Asks for sudo only when it is not run by root, and does nothing at all when nothing is missing.
set -eu

needed="gcc libc6-dev meson ninja-build pkg-config libdnnl-dev liblapacke-dev libyaml-dev libjansson-dev libdeflate-dev
  libspng-dev libgif-dev libcurl4-openssl-dev libevent-dev libssl-dev librandom123-dev gnuplot-nox fonts-dejavu-core"
case "${1:-}" in
test) needed="$needed libcmocka-dev libvips-dev" ;;
photos) needed="$needed libvips-dev" ;;
browser) needed="chromium nodejs npm" ;;
fuzz) needed="$needed libcmocka-dev libvips-dev clang libclang-rt-dev libomp-dev" ;;
arm64) needed="meson ninja-build pkg-config gcc-aarch64-linux-gnu qemu-user" ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Another system: trust that what the build asks for is there, and let Meson name what is not.
    command -v meson >/dev/null && command -v ninja >/dev/null && exit 0
    echo "elbo: there is no apt here; please install the equivalents of these Debian packages:" $needed >&2
    exit 1
fi

missing=""
for package in $needed; do
    status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    case "$status" in
    ii*) ;;
    *)
        # Another version of a program may do as well: a meson from elsewhere, another pkg-config, another gnuplot.
        case "$package" in
        chromium | npm | gcc | meson) command -v "$package" >/dev/null && continue ;;
        nodejs) command -v node >/dev/null && continue ;;
        ninja-build) command -v ninja >/dev/null && continue ;;
        pkg-config) command -v pkg-config >/dev/null && continue ;;
        gnuplot-nox) command -v gnuplot >/dev/null && continue ;;
        esac
        missing="$missing $package"
        ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "elbo: these packages are missing; install them as root: apt-get install$missing" >&2
        exit 1
    fi
    sudo="sudo"
fi
echo "elbo: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1; }
if ! install; then # the package lists may be old, or not there yet
    $sudo apt-get update >"$log" 2>&1 || { cat "$log" >&2; echo "elbo: apt-get update failed" >&2; exit 1; }
    install || { tail -n 20 "$log" >&2; echo "elbo: these packages could not be installed:$missing" >&2; exit 1; }
fi
