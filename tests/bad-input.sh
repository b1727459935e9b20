#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/bad-input.sh: what is wrong is refused with exit status 1 and one line that says where, and
# nothing half-written stays behind.
. "$(dirname "$0")/cli-lib.sh"

# bad_config 'TEXT|TEXT...' [SED SCRIPT]...: a changed config cannot be trained.
bad_config()
{
    texts_wanted=$1
    shift
    short_config bad.yaml "$@"
    refused "$texts_wanted" train bad.yaml -o BAD
    no_files BAD
    rm -rf BAD
}

# bad_data 'TEXT|TEXT...': the files data.csv, rows.txt of a small network cannot be used.
bad_data()
{
    cat > data.yaml <<END
data:
  train: {file: data.csv, label_column: 2${rows:+, rows: $rows}}
network:
  input: [2]
  layers:
    - {type: dense, units: 2}
  loss: softmax_cross_entropy
init: ${init:-{seed: 0\}}
training:
  optimizer: {type: sgd}
  learning_rate: {schedule: ${schedule:-constant, peak: 0.1}}
  batch_size: 2
  steps: 4
END
    refused "$1" train data.yaml -o BAD
    no_files BAD
    rm -rf BAD
}

# The config
short_config utf8.yaml
for order in LE BE; do
    iconv -f UTF-8 -t UTF-16$order utf8.yaml > bad.yaml 2> /dev/null || continue
    refused 'bad.yaml|UTF-16|save it as UTF-8' train bad.yaml -o BAD
done
bad_config "bad.yaml|network" '/^network:/,/^  loss:/d'
bad_config "bad.yaml|momentun|momentum" 's/momentum: 0.9/momentun: 0.9/'
bad_config "bad.yaml:12:1|trainign|training" 's/^training:/trainign:/'
bad_config 'bad.yaml:15:15|batch_size|many' 's/batch_size: 64/batch_size: many/'
bad_config 'bad.yaml|batch_size' 's/batch_size: 64/batch_size: -1/'
bad_config 'bad.yaml|batch_size' 's/batch_size: 64/batch_size: 0/'
bad_config 'bad.yaml|batch_size' 's/batch_size: 64/batch_size: 1.5/'
bad_config 'batch_size|5000|1600' 's/batch_size: 64/batch_size: 5000/'
bad_config 'bad.yaml|steps' 's/steps: 20/steps: 18446744073709551616/'
bad_config 'bad.yaml|steps' '/steps: 20/d'
bad_config 'bad.yaml|epochs|steps' 's/  steps: 20/  steps: 20\
  epochs: 2/'
bad_config 'bad.yaml|batch_size' 's/^  batch_size: 64/  batch_size: 64\
  batch_size: 32/'
bad_config 'bad.yaml|peak' 's/peak: 0.1/peak: .nan/'
bad_config 'bad.yaml|peak' 's/peak: 0.1/peak: .inf/'
bad_config 'bad.yaml|peak|decimals stand behind a point' 's/peak: 0.1/peak: 0,1/'
bad_config "unknown loss 'mse'|did you mean 'mean_squared_error'" 's/loss: .*/loss: mse/'
bad_config 'bad.yaml|cosin|cosine' 's/schedule: cosine/schedule: cosin/'
bad_config 'bad.yaml|gelo|gelu' 's/type: gelu/type: gelo/'
bad_config 'bad.yaml|layers' 's/^  layers:/  layers: 3/;/^    - /d'
bad_config 'bad.yaml|softmax_cross_entropie|softmax_cross_entropy' 's/entropy/entropie/'
bad_config 'bad.yaml:5:10|anchor' 's/input: .64./input: \&size [64]/'
bad_config 'bad.yaml' 's/input: .64./input: [64/'
bad_config '64|63' 's/input: .64./input: [63]/'
bad_config 'bad.yaml|seed' 's/seed: 3/seed: -3/'
bad_config 'bad.yaml|analysis|densee|dense' 's/^  dense: ..$/  densee: {}/'
bad_config 'no-such.csv' "s,file: $digits/digits.csv.gz,file: no-such.csv,"
bad_config 'no-such-rows.txt' "s,rows: $digits/train_rows.txt,rows: no-such-rows.txt,"
bad_config 'label_column|99' 's/label_column: 64/label_column: 99/'
bad_config 'class|9|8' 's/units: 10/units: 8/'
refused 'no-such.yaml' train no-such.yaml -o BAD
mkdir folder.yaml
refused 'folder.yaml' train folder.yaml -o BAD
: > empty.yaml
refused 'empty.yaml' train empty.yaml -o BAD
head -c 4096 "$digits/digits.csv.gz" > binary.yaml
refused 'binary.yaml' train binary.yaml -o BAD
no_files BAD

# The data
rows=
printf '1,2,0\n3,4,1\n5,6,0\n' > good.csv
cp good.csv data.csv
printf '1,2,0\n3,4\n5,6,0\n' > data.csv
bad_data 'data.csv:2'
printf '1,2,0\n3,four,1\n5,6,0\n' > data.csv
bad_data 'data.csv:2|four'
printf '1,2,0\n3,,1\n5,6,0\n' > data.csv
bad_data 'data.csv:2'
printf '1,2,0\n3,nan,1\n5,6,0\n' > data.csv
bad_data 'data.csv:2'
printf '1,2,0\n3,4,2\n5,6,0\n' > data.csv
bad_data 'data.csv|label|2'
printf '1,2,0\n3,4,0.5\n5,6,0\n' > data.csv
bad_data 'data.csv|label|0.5'
printf '1,2,0\n3,4,-1\n5,6,0\n' > data.csv
bad_data 'data.csv|label|-1'
: > data.csv
bad_data 'data.csv'
rm data.csv
mkdir data.csv
bad_data 'data.csv'
rmdir data.csv
cp good.csv data.csv
rows=rows.txt
printf '0\n3\n' > rows.txt
bad_data 'rows.txt|3'
printf '0\n-1\n' > rows.txt
bad_data 'rows.txt|-1'
printf '0\none\n' > rows.txt
bad_data 'rows.txt|one'
: > rows.txt
bad_data 'rows.txt'
rows=
head -c 2000 "$digits/digits.csv.gz" > cut.csv.gz
bad_config 'cut.csv.gz' "s,train: {file: $digits/digits.csv.gz,train: {file: cut.csv.gz,"

# theta0: of the wrong length, of the wrong kind, cut
bad_config 'theta0.npy|4810|310' "s,init: {seed: 3},init: {file: $digits/theta0.npy},"
init='{file: cut.npy}'
head -c 100 "$digits/theta0.npy" > cut.npy
bad_data 'cut.npy'
cp good.csv cut.npy
bad_data 'cut.npy'
init='{file: no-such.npy}'
bad_data 'no-such.npy'
init=

# Training that leaves the finite numbers says at which step.
bad_config 'step' 's/peak: 0.1/peak: 1e300/'
printf '1e308,2,0\n3,1e308,1\n5,6,0\n' > data.csv
bad_data 'step'

# Runs
refused 'no-such-run' svd no-such-run
mkdir empty
refused 'empty' info empty
short_config good.yaml '/^analysis:/,$d'
run 0 train good.yaml -o RUN
run 0 train good.yaml -o other --seed 7
cp -r RUN copy
refused 'RUN|complete|--force' train good.yaml -o RUN
cmp -s RUN/trajectory.h5 copy/trajectory.h5 || fail "a refused training changed the run"
short_config bad.yaml '/^analysis:/,$d' 's/peak: 0.1/peak: 1e300/'
refused 'step' train bad.yaml -o RUN --force
run 0 info RUN
[ -z "$(find RUN -name '*tmp*' -o -name '*.part*' -o -name '.*' ! -name . | grep .)" ] ||
    fail "a failed training left $(ls -A RUN | tr '\n' ' ')"
touch file
refused 'file' train good.yaml -o file
refused 'file' train good.yaml -o file/RUN

# damaged NAME 'TEXT|...': the run `damaged`, a copy that the caller spoilt, is refused by all that read.
damaged()
{
    for command in info svd dense validate; do
        refused "$1" "$command" damaged
    done
    [ -z "$(find damaged -name 'svd*' -o -name 'dense*')" ] || fail "results of a damaged run"
    rm -rf damaged
}
for size in 0 100 4096 50000; do
    cp -r RUN damaged
    head -c $size RUN/trajectory.h5 > damaged/trajectory.h5
    damaged 'trajectory.h5'
done
cp -r RUN damaged
rm damaged/trajectory.h5
damaged 'trajectory.h5'
cp -r RUN damaged
cp other/trajectory.h5 damaged/trajectory.h5
damaged 'damaged|"seed: 7"'
cp -r RUN damaged
cp "$digits/theta0.npy" damaged/trajectory.h5
damaged 'trajectory.h5'
cp -r RUN damaged
rm damaged/config.yaml
damaged 'config.yaml'
cp -r RUN damaged
sed 's/momentum: 0.9/momentum: 0.8/' RUN/config.yaml > damaged/config.yaml
cmp -s RUN/config.yaml damaged/config.yaml && fail "config.yaml does not have momentum: 0.9"
damaged 'damaged'
# One bit of a state: found wherever states are read.
cp -r RUN damaged
size=$(wc -c < RUN/trajectory.h5)
printf '\377\376' | dd of=damaged/trajectory.h5 bs=1 seek=$((size / 2)) conv=notrunc 2> /dev/null
cmp -s RUN/trajectory.h5 damaged/trajectory.h5 && fail "the damage did not change the file"
refused 'trajectory.h5' svd damaged --top 3
rm -rf damaged
# Data that changed after the training
cp good.csv data.csv
cat > moved.yaml <<END
data:
  train: {file: data.csv, label_column: 2}
network: {input: [2], layers: [{type: dense, units: 2}], loss: softmax_cross_entropy}
init: {seed: 0}
training:
  optimizer: {type: sgd}
  learning_rate: {schedule: constant, peak: 0.1}
  batch_size: 2
  steps: 4
END
run 0 train moved.yaml -o moved
printf '1,2,0\n3,4,1\n5,7,0\n' > data.csv
refused 'moved|data' svd moved
rm data.csv
refused 'data.csv' svd moved

# Requests that the run cannot serve
refused '311|310' svd RUN --top 311
refused 'ncv' svd RUN --top 5 --ncv 5
refused 'ncv' svd RUN --top 5 --ncv 1000
refused 'arpak|arpack' svd RUN --method arpak
refused '21|20' svd RUN --to 21
refused '20|steps' svd RUN --from 20
refused '--from is 10 and --to is 10' svd RUN --from 10 --to 10
refused '--from is 7 and --to is 3' dense RUN --from 7 --to 3
refused 'tag' svd RUN --tag ../escape
refused 'tag' dense RUN --tag a/b
refused 'memory' dense RUN --memory 1K
[ -z "$(find RUN -name 'svd*.h5' -o -name 'dense*.h5')" ] || fail "a refused request left a result"

# Files of a run that came from a stranger lead nowhere else: links in the place of what is written.
echo precious > outside
for name in svd.journal svd.h5.tmp .lock; do
    ln -s ../outside "RUN/$name"
    refused 'RUN' svd RUN --top 3
    rm "RUN/$name"
done
ln -s ../outside RUN/report.html.tmp
refused 'report.html' report RUN
rm -f RUN/report.html.tmp
mkdir RUN/figures
for figure in loss.svg.tmp loss.csv.tmp; do
    ln -s ../../outside "RUN/figures/$figure"
done
"$spectraj" plot RUN loss > out 2> err # without gnuplot an error of another kind
refused 'loss.csv' plot RUN loss --data -o RUN/figures/loss.csv
rm -r RUN/figures
run 0 svd RUN --top 3
mkdir taken
ln -s ../outside taken/svd-sigma.csv.tmp
refused 'svd-sigma.csv' export RUN svd -o taken
rm RUN/svd.h5 RUN/svd.journal
[ "$(cat outside)" = precious ] || fail "a link of a run was followed"
# ... nor does a training that replaces it clear another folder, or of its own what is no figure.
run 0 train good.yaml -o links
mkdir -p elsewhere links/figures
echo precious > elsewhere/a.svg
echo precious > links/figures/notes.txt
echo old > links/figures/a.svg
run 0 train good.yaml -o links --force
[ ! -e links/figures/a.svg ] || fail "the figure of an older run is still there"
[ -e links/figures/notes.txt ] || fail "what is no figure was removed"
rm -r links/figures
ln -s ../elsewhere links/figures
run 0 train good.yaml -o links --force
[ -e elsewhere/a.svg ] || fail "a link was followed to a folder that was then cleared"
rm -r links
# A pipe that nobody writes in the place of a file is no reason to wait.
run 0 train good.yaml -o pipes
for name in config.yaml trajectory.h5 svd.h5 svd.journal; do
    run 0 svd pipes --top 3
    mv "pipes/$name" kept
    mkfifo "pipes/$name"
    command_line="svd with a pipe for $name"
    timeout -s KILL 60 "$spectraj" svd pipes --top 4 > out 2> err
    status=$?
    [ $status -eq 1 ] && contains err "$name" || fail "exit status $status instead of 1"
    rm "pipes/$name"
    mv kept "pipes/$name"
done
mkfifo pipe.csv pipes/config.yaml.tmp
sed 's|file: [^,]*,|file: pipe.csv,|' good.yaml > pipe.yaml
for command in 'info pipe.yaml' 'train good.yaml --force -o pipes'; do
    command_line=$command
    timeout -s KILL 60 "$spectraj" $command > out 2> err
    status=$?
    [ $status -eq 1 ] && one_line || fail "exit status $status instead of 1"
done
# Nor is one, or a device, replaced by a file.
mkfifo pipe.svg
for command in 'plot pipes spectrum -o pipe.svg' 'report pipes -o pipe.svg'; do
    refused 'pipe.svg|pipe or a device' $command
    [ -p pipe.svg ] || fail 'a file is in the place of the pipe'
done
rm -r pipes pipe.csv pipe.svg
# Nothing is made by a shell: names that one would expand are taken as they are.
odd="o'd\"d \`touch pwned\`\$(touch pwned)"
run 0 train good.yaml -o "$odd"
run 0 report "$odd"
"$spectraj" plot "$odd" loss > out 2> err # without gnuplot an error
short_config shell.yaml 's/units: 10}/units: 10, name: "`touch pwned`$(touch pwned)"}/'
"$spectraj" run shell.yaml -o SH > out 2> err # may be refused
[ ! -e pwned ] || fail "a shell ran what a config says"

# What a stranger's run says reaches no terminal as a command: a name in its config is refused, other text is escaped.
esc=$(printf '\033')
cp -R RUN stranger
rm -f stranger/*.journal
edit 's/units: 10$/units: 10\n      name: "a\\e[31m"/' stranger/config.yaml
grep -q 'name: ".*31m"' stranger/config.yaml || fail 'the copied config has no such name'
refused 'stranger/config.yaml|name|a?[31m' info stranger
! grep -q "$esc" err || fail 'an escape sequence reached standard error'
cp RUN/config.yaml stranger
run 0 dense stranger
mv stranger/dense.h5 "stranger/dense-$esc[31m.h5"
run 0 info stranger
grep -q 'dense-?\[31m.h5' out && ! grep -q "$esc" out || fail 'info does not escape the name of a result'
run 0 export stranger -o exported
! grep -q "$esc" out || fail 'export does not escape the name of a result'
refused 'no such run' info "no$esc[31m-run"
! grep -q "$esc" err || fail 'an escape sequence reached standard error'
rm -r stranger exported

# A damaged HDF5 file, of which HDF5 forgets parts: it does not complain of them at the end.  What it forgets is lost, as a
# build with sanitizers would say.
sanitizers=${ASAN_OPTIONS:-}
export ASAN_OPTIONS="${sanitizers:+$sanitizers:}detect_leaks=0"
run 0 dense RUN
sed 's|file: [^,]*,|file: "damaged.h5:sigma",|' good.yaml > damaged.yaml
for at in 520 530 545 560 600 640 700 800 1000 2000; do
    cp RUN/dense.h5 damaged.h5
    printf '\377\377' | dd of=damaged.h5 bs=1 seek=$at conv=notrunc 2> /dev/null
    refused 'data.train' train damaged.yaml -o DAMAGED
done
ASAN_OPTIONS=$sanitizers
rm RUN/dense.h5

run 0 svd RUN --top 3
head -c 500 RUN/svd.h5 > cut.h5
cp cut.h5 RUN/svd.h5
refused 'svd.h5' svd RUN --top 3
cp copy/trajectory.h5 RUN/svd.h5
refused 'svd.h5' svd RUN --top 3
run 0 svd other --top 3
cp other/svd.h5 RUN/svd.h5
refused 'svd.h5' svd RUN --top 3
rm RUN/svd.h5

# A disk that is full: no file may be larger than a few blocks (of 512 or 1024 bytes).
limited()
{
    command_line="$*, with files limited to 8 blocks"
    (
        ulimit -f 8 || exit 99
        exec "$spectraj" "$@" > out 2> err
    )
    status=$?
    [ "$status" -eq 1 ] || fail "exit status $status instead of 1"
    one_line
}
limited train good.yaml -o full
no_files full
limited dense RUN
[ ! -e RUN/dense.h5 ] || fail "a dense.h5 was left"
# The journal of products, svd.journal, is kept on purpose: a next attempt goes on from it.
[ -z "$(ls -A RUN | grep -v -x -e config.yaml -e trajectory.h5 -e svd.journal)" ] ||
    fail "left in RUN: $(ls -A RUN | tr '\n' ' ')"
# And a real one, where a file system can be mounted.
mkdir disk
if mount -t tmpfs -o size=64k none disk 2> /dev/null; then
    refused 'disk' train good.yaml -o disk/RUN
    no_files disk/RUN
    umount disk
fi
if [ -e /dev/full ]; then
    command_line="info RUN --json > /dev/full"
    "$spectraj" info RUN --json > /dev/full 2> err
    status=$?
    [ "$status" -eq 1 ] || fail "exit status $status instead of 1"
    one_line
fi
# Not as root, who may read and write anywhere.
if [ "$(id -u)" -ne 0 ]; then
    chmod a-rx RUN
    refused 'RUN|Permission denied' info RUN
    chmod u+rx RUN
    mkdir locked
    chmod a-w locked
    refused 'locked' train good.yaml -o locked/RUN
fi
finish
