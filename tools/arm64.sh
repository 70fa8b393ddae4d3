#!/bin/sh
# Builds elbo for 64-bit ARM on an x86-64 Debian and runs there, in qemu, those tests that need no other program: numbers,
# kernels against plain loops, golden values, files. The ARM libraries go to build-arm64/root, by apt with a state of its
# own: nothing of this machine's packages is changed but the cross compiler and qemu, which are installed where missing.
# arm64.sh [TEST...]
set -eu
cd "$(dirname "$0")/.."
build=$(pwd)/build-arm64
root=$build/root
libraries="libc6-dev libgomp1 libdnnl-dev liblapacke-dev libyaml-dev libjansson-dev libdeflate-dev libspng-dev libgif-dev
  libcurl4-openssl-dev libevent-dev libssl-dev librandom123-dev libcmocka-dev"

tools/packages.sh arm64
if [ ! -f "$root/complete" ]; then
    apt=$build/apt
    mkdir -p "$root" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    set_up="-o Dir::State=$apt/state -o Dir::State::status=$apt/status -o Dir::Cache=$apt/cache
      -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root -o Debug::NoLocking=1"
    echo "elbo: fetching the ARM libraries into build-arm64/root"
    if ! { apt-get $set_up update && apt-get $set_up install -y --download-only --no-install-recommends $libraries; } \
        >"$build/apt.log" 2>&1; then
        tail -n 20 "$build/apt.log" >&2
        echo "elbo: the ARM packages cannot be fetched (build-arm64/apt.log)" >&2
        exit 1
    fi
    for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    lib=$root/usr/lib/aarch64-linux-gnu
    for name in blas lapack; do # what Debian's alternatives choose when they are installed
        for file in "$lib/$name"/lib$name.so*; do ln -sf "$name/$(basename "$file")" "$lib/"; done
        ln -sf $name-netlib.pc "$lib/pkgconfig/$name.pc"
    done
    find "$root" -type l -lname '/*' | while read -r link; do ln -sf "$root$(readlink "$link")" "$link"; done
    touch "$root/complete"
fi

cat >"$build/cross.ini" <<END
[binaries]
c = ['aarch64-linux-gnu-gcc', '--sysroot=$root']
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64', '-L', '$root']
[properties]
sys_root = '$root'
pkg_config_libdir = '$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'armv8-a'
endian = 'little'
END
if [ ! -f "$build/elbo/build.ninja" ]; then
    meson setup "$build/elbo" --cross-file "$build/cross.ini" --werror -Dtests=true >"$build/setup.log" ||
        { cat "$build/setup.log"; exit 1; }
fi
# (more would take hours in qemu, or start programs of this machine)
[ $# -gt 0 ] || set -- base digits kernels kernels_losses kernels_update kernels_latent kernels_linear \
    golden npy safetensors recipe
targets=""
for name; do targets="$targets tests/test-$name"; done
ninja -C "$build/elbo" --quiet elbo $targets
export QEMU_LD_PREFIX="$root" OMP_NUM_THREADS=1
meson test -C "$build/elbo" --no-rebuild --print-errorlogs --timeout-multiplier 20 "$@"
