#!/bin/sh
# Builds a Debian package of what `meson install` puts in place: tools/deb.sh BUILD. The libraries that it needs are asked of
# dpkg-shlibdeps. Prints the package's name.
set -eu
build=$1
command -v dpkg-shlibdeps >/dev/null || { echo "elbo: make deb needs dpkg-dev: apt-get install dpkg-dev" >&2; exit 1; }
version=$(meson introspect "$build" --projectinfo | sed 's/.*"version": "\([^"]*\)".*/\1/')
architecture=$(dpkg --print-architecture)
root=$(pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
tree=$place/debian/elbo
meson setup "$place/build" --prefix=/usr --buildtype=release --strip >"$place/log" 2>&1 || { cat "$place/log" >&2; exit 1; }
ninja -C "$place/build" --quiet >"$place/log" 2>&1 || { cat "$place/log" >&2; exit 1; }
DESTDIR=$tree meson install -C "$place/build" --no-rebuild >"$place/log" 2>&1 || { cat "$place/log" >&2; exit 1; }
find "$tree" -name '*.1' -exec gzip -9n {} +
document=$tree/usr/share/doc/elbo
mkdir -p "$document" "$tree/DEBIAN"
{
    echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
    echo 'Upstream-Name: elbo'
    echo
    echo 'Files: *'
    sed -n 's/^Copyright (c) /Copyright: /p' LICENSE
    echo 'License: Expat'
    sed -e '1,/^Copyright/d' -e 's/^$/./' -e 's/^/ /' LICENSE | sed '1{/^ \.$/d}'
} >"$document/copyright"
printf 'elbo (%s) unstable; urgency=medium\n\n  * Built from its sources by tools/deb.sh.\n\n -- elbo <elbo@localhost>  %s\n' \
    "$version" "$(date -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")" |
    gzip -9n >"$document/changelog.gz"
mkdir -p "$place/debian"
printf 'Source: elbo\nPackage: elbo\nArchitecture: any\n' >"$place/debian/control"
programs=$(find "$tree/usr" -type f \( -name elbo -o -name elbo-images -o -name 'libelbo.so.*' \) ! -path '*/share/*')
needs=$(cd "$place" && dpkg-shlibdeps -O $programs 2>/dev/null | sed 's/^shlibs:Depends=//')
cat >"$tree/DEBIAN/control" <<END
Package: elbo
Version: $version
Architecture: $architecture
Maintainer: elbo <elbo@localhost>
Installed-Size: $(du -sk "$tree/usr" | cut -f1)
Depends: $needs, gnuplot-nox | gnuplot, fonts-dejavu-core
Section: science
Priority: optional
Description: autoencoders and variational autoencoders, trained and explored
 elbo trains autoencoders and variational autoencoders from a short recipe, scores
 them, and draws what they learned: reconstructions, interpolations, maps of the
 latent space, samples. One program and one C library, no Python, no GPU.
END
(cd "$tree" && find usr -type f -exec md5sum {} +) >"$tree/DEBIAN/md5sums"
printf 'activate-noawait ldconfig\n' >"$tree/DEBIAN/triggers"
chmod -R u=rwX,go=rX "$tree"
package=$root/elbo_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
