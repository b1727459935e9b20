#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/portable-roots.sh [SUITE]...: README.md on bare Debian systems, followed to the letter.
#
# For each suite (bookworm trixie sid) a root is made with mmdebstrap, and in a copy of it: the two commands of
# README.md and the lines after them, as root and as a user without root; `make install` and the linker; the
# packages, with their tests, and lintian; README.md's C program over the installed packages; uninstalling.
# arm64: the archive, cross-compiled in trixie, and its unit tests under qemu-user.
# Each step prints "pass SUITE STEP" or "FAIL SUITE STEP"; logs are kept.  As root, on Debian; an hour or more.
# STJ_ROOTS: folder for roots and logs (/var/tmp/spectraj-roots); STJ_STEPS: some of quickstart user check install
# packages arm64 (install stands on what quickstart, user or check brought); STJ_MIRROR: where Debian is.
set -u
: "${top_srcdir:?is set by make}"
: "${top_builddir:?is set by make}"
roots=${STJ_ROOTS:-/var/tmp/spectraj-roots}
steps=${STJ_STEPS:-quickstart user install packages check arm64}
mirror=${STJ_MIRROR:-http://deb.debian.org/debian}
failed=0
[ "$(id -u)" -eq 0 ] && command -v mmdebstrap > /dev/null || {
    echo "check-portable: wants root and the Debian package mmdebstrap"
    exit 77
}
mkdir -p "$roots" || exit 99

# step NAME COMMAND: in the root, from /src/spectraj, as root; the shell stops at the first that fails.
step()
{
    name=$1
    printf 'set -e\ncd /src/spectraj\n%s\n' "$2" > "$root/step"
    began=$(date +%s)
    if chroot "$root" sh /step > "$roots/$suite-$name.log" 2>&1 < /dev/null; then word=pass; else
        word=FAIL
        failed=1
    fi
    echo "$word $suite $name ($(($(date +%s) - began)) s)"
}
wanted() { case " $steps " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# The lines of README.md that begin with those words, as typed: root needs no sudo.
lines()
{
    sed -n "s/^    \\($1.*\\)/\\1/p" "$top_srcdir/README.md" | sed 's/ *# .*//; s/sudo //g; s/apt-get install/apt-get install -y/; s/apt-get build-dep/apt-get build-dep -y/'
}

fresh()
{
    finish
    root=$roots/$suite
    mkdir -p "$root/src"
    tar -C "$root" -xf "$roots/$suite.tar"
    echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/thrown-away"
    mount -t proc proc "$root/proc" || exit 99
    cp /etc/resolv.conf "$root/etc/" 2> /dev/null
    cp -R "$roots/source" "$root/src/spectraj"
    chroot "$root" useradd -m reader && chroot "$root" chown -R reader /src
}
finish()
{
    for mounted in "$roots"/*/proc; do
        mountpoint -q "$mounted" && umount -l "$mounted"
    done
    [ -z "${root:-}" ] || rm -rf --one-file-system "$root"
    root=
}
trap finish EXIT
trap 'exit 130' INT TERM

rm -rf "$roots/source"
mkdir "$roots/source"
(cd "$top_srcdir" && git ls-files -z | tar --null -T - -cf -) | tar -C "$roots/source" -xf - || exit 99

# What README.md says after an installation, in the folder $DIR.
after=$(lines 'export PATH')
use="$after
$(lines 'spectraj train')
$(lines 'spectraj svd digits-run')
$(lines 'spectraj plot digits-run')
$(lines 'cc examples')
$(lines '.\/top-values')"
update='export DEBIAN_FRONTEND=noninteractive; apt-get update'

for suite in ${*:-bookworm trixie sid}; do
    [ -e "$roots/$suite.tar" ] ||
        mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$roots/$suite.tar" \
            "$mirror" > "$roots/$suite.log" 2>&1 || { echo "FAIL $suite mmdebstrap"; failed=1; continue; }
    fresh
    if wanted quickstart; then
        step quickstart './quickstart'
        step quickstart-use "$(lines 'DIR=')
rm -rf digits-run
$use"
    fi
    if wanted user; then
        step user "rm -rf local build digits-run small-run top-values
chown -R reader .
su reader -c './quickstart'
cat > /use <<'EOF'
set -e
$(lines 'DIR=')
rm -rf digits-run
$use
EOF
su reader -c 'sh /use'"
    fi
    wanted check && step check './quickstart check'
    wanted install && step install "rm -rf build digits-run small-run top-values
$(lines '.\/autogen' | sed 's/make check && //; s/&& make /\&\& make -j2 /')
$(echo "$use" | grep -v '^export')
make -C build uninstall
test -z \"\$(find /usr/local -name '*spectraj*' | tee /dev/stderr)\""
    if wanted packages; then
        fresh
        step packages "$update
$(lines 'sudo apt-get install --no-install-recommends build')
$(lines 'sudo apt-get build-dep')
chown -R reader /src
su reader -c 'OMP_WAIT_POLICY=passive DEB_BUILD_OPTIONS=\"$(wanted check || echo nocheck) parallel=2\" $(lines dpkg-buildpackage)'"
        # The maintainers' address is of this machine, and none is invented; Debian 12 has a name of its own for that.
        step lintian "$update
apt-get install -y --no-install-recommends lintian
su reader -c 'lintian --fail-on error,warning --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs ../spectraj_*.changes'"
        mkdir "$roots/debs"
        mv "$root"/src/*.deb "$roots/debs"
        fresh
        mv "$roots/debs"/* "$root/src/"
        rmdir "$roots/debs"
        step installed "$update
$(lines 'sudo apt-get install --no-install-recommends ..\/')
apt-get install -y --no-install-recommends gcc libc6-dev pkg-config
$(echo "$use" | grep -v '^export' | sed 's/ --terminal/ --terminal || echo no gnuplot/')
python3 -c 'import spectraj; print(spectraj.open(\"digits-run\"))'
apt-get purge -y spectraj libspectraj0"
    fi
done
# arm64: the archive, which has the manual pages, is cross-compiled and installed in the root, and the unit tests
# run under qemu-user; property tests with a twentieth of their seeds.
if wanted arm64; then
    suite=trixie
    fresh
    cp "$top_builddir"/spectraj-*.tar.gz "$root/src/"
    programs=$(sed -n 's/^check_PROGRAMS += %reldir%\/\([top]-.*\)/tests\/\1/p' "$top_srcdir/tests/local.mk" | tr '\n' ' ')
    step arm64-build "dpkg --add-architecture arm64
$update
apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross make pkg-config \
    qemu-user libgomp1:arm64 $(sed -n '/libc6-dev libopenblas/,/; do/p' "$top_srcdir/quickstart" | tr -d '\\\n' | sed 's/for package in//; s/; do//; s/\([a-z0-9]\) /\1:arm64 /g; s/check$/check:arm64/')
cd ..
tar -xzf spectraj-*.tar.gz
mkdir arm64
cd arm64
PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig ../spectraj-*/configure --host=aarch64-linux-gnu
make -j2
make install DESTDIR=/src/installed
test -s /src/installed/usr/local/share/man/man1/spectraj.1
LD_LIBRARY_PATH=/src/installed/usr/local/lib qemu-aarch64 /src/installed/usr/local/bin/spectraj --version"
    step arm64-tests "cd ../arm64
printf '#!/bin/sh\nexec qemu-aarch64 %s/.libs/spectraj \"\$@\"\n' \"\$PWD\" > spectraj
export LD_LIBRARY_PATH=\"\$PWD/.libs\" OMP_NUM_THREADS=2 CK_TIMEOUT_MULTIPLIER=50 STJ_TEST_MULTIPLIER=0.05
make -j2 check TESTS='$programs' LOG_COMPILER=qemu-aarch64"
fi
exit $failed
