#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/nulls.sh: no public function dies of a NULL, or of an enum that is none.
#
# The calls are made from the headers: a function that they declare is in the test by that.  Each is
# called with every pointer NULL, and with each pointer NULL in turn while the rest is good; one that
# returns a status must then, or at least with all of them NULL, say STJ_EINVAL in one line.  Then with
# each enum in turn one that is none.  Every call has a process of its own.  Good objects are made by
# whatever function has one as its result: a run is opened from the folder "x", "x" being the text that
# every string is.
set -u
: "${top_srcdir:?is set by make}"
: "${top_builddir:?is set by make}"
: "${SPECTRAJ:?is set by make}"
left="" # headers whose functions do not check yet
shared=$top_builddir/.libs/libspectraj.so
[ -e "$shared" ] || { echo "no shared library was built"; exit 77; }
OMP_NUM_THREADS=1 # a process that was forked has no more
export OMP_NUM_THREADS

# calls HEADER...: the program.
calls()
{
    cat <<'EOF'
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <spectraj.h>

enum { ROOM = 1 << 20, MOST = 16, NONE = 99, SECONDS = 100 };
static union { char byte[ROOM]; double number; } place[MOST]; /* one for each argument */
static FILE *out;
static int failures;

/* Sizes agree with each other: matrices of 24 x 24, 24 columns, 24 numbers. */
static const size_t size = 24;

static double number[ROOM]; /* ascending, between 0 and 1 */

/* An operator and a problem of the caller's own: the zero matrix, and a loss that is 0. */
static enum stj_status multiply(void *ctx, enum stj_trans trans, size_t nvec, const double *x, size_t ldx,
                                double *y, size_t ldy, struct stj_error *err)
{
    for (size_t i = 0; i < nvec; i++)
        memset(y + i * ldy, 0, size * sizeof *y);
    return STJ_OK;
}

static enum stj_status gradient(void *ctx, size_t step, const double *theta, double *loss, double *g,
                                struct stj_error *err)
{
    *loss = 0;
    return multiply(ctx, STJ_NO_TRANS, 1, theta, size, g, size, err);
}

static enum stj_status hvp(void *ctx, size_t step, const double *theta, size_t nvec, const double *x,
                           size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    return multiply(ctx, STJ_NO_TRANS, nvec, x, ldx, y, ldy, err);
}

static const struct stj_problem_callbacks callbacks = {
    .size = sizeof callbacks, .n_params = 24, .n_steps = 24, .gradient = gradient, .hvp = hvp};
static const struct stj_training_settings training = {
    .size = sizeof training,
    .recipe = "{optimizer: {type: sgd}, learning_rate: {schedule: constant, peak: 0.1}}",
    .theta0 = number};
static const struct stj_run_problem_settings of_callbacks = {
    .size = sizeof of_callbacks,
    .config = "problem: {callbacks: true}\ntraining: {optimizer: {type: sgd}, "
              "learning_rate: {schedule: constant, peak: 0.1}, steps: 24}\n",
    .theta0 = number};

static void say(const char *name, const char *how, const char *what)
{
    printf("FAIL: %s, %s: %s\n", name, how, what);
    failures++;
}

/* What a child found of its call, as its exit status. */
enum { FINE, NOT_REFUSED = 40, NO_LINE, MADE }; /* sanitizers end a process with 1 */

static int judge(int is_strict, enum stj_status st, const struct stj_error *err)
{
    if (is_strict && st != STJ_EINVAL)
        return NOT_REFUSED;
    return err && st != STJ_OK && (!err->text[0] || strchr(err->text, '\n')) ? NO_LINE : FINE;
}

static void touch(const void *p)
{
    (void)p;
}

static size_t touch_text(const char *text)
{
    return text ? strlen(text) : 0;
}

/* What waitpid says of a process that ends with fn(which). */
static int in_child(int (*fn)(int), int which)
{
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        _exit(fn(which));
    }
    waitpid(child, &status, 0);
    return status;
}

static void attempt(const char *name, const char *how, int (*fn)(int), int which)
{
    const int status = in_child(fn, which);
    if (WIFSIGNALED(status))
        say(name, how, strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == NOT_REFUSED)
        say(name, how, "is not STJ_EINVAL");
    else if (WEXITSTATUS(status) == NO_LINE)
        say(name, how, "is an error without a line");
    else if (WEXITSTATUS(status) != FINE)
        say(name, how, "ended the process");
}
EOF
    {
        for header in $left; do # may be empty
            awk -f "$top_srcdir/include/declarations.awk" "$top_srcdir/include/spectraj/$header.h" | sed 's/^/LEFT /'
        done
        cat "$@" | awk '
            /^#/ { next }
            { gsub(/\/\*.*\*\//, ""); text = text $0 " " }
            END { gsub(/[ \t]+/, " ", text); print "HEADERS " text }'
        awk -f "$top_srcdir/include/declarations.awk" "$@"
    } | awk '
    # A good value of parameter i, whose type is t.
    function good(t, i,    tag) {
        tag = t
        gsub(/const |struct |\*| /, "", tag)
        if (t ~ /^stj_op_apply_fn /) return "multiply"
        if (t ~ /\*$/ && tag == "stj_problem_callbacks") return "&callbacks"
        if (t ~ /\*$/ && tag == "stj_run_problem_settings") return "&of_callbacks"
        if (t ~ /\*$/ && tag == "stj_training_settings") return "&training"
        if (t ~ /\(\*/ || t ~ /_fn $/ || t ~ /^void \*/) return "0"
        if (t ~ /^(struct )?stj_error \*/) return "err"
        if (t ~ /^const char \*$/) return "\"x\""
        if (t ~ /^FILE \*/) return "out"
        if (t ~ /^const double \*/) return "number"
        if (t ~ /\*\*$/) return "(" t ")&place[" i "]"
        if (t ~ /\*$/ && tag in handle) return "have_" tag
        if (t ~ /\*$/ && index(headers, "struct " tag " " tag "_default(void)"))
            return "memcpy(&place[" i "], &(struct " tag "[1]){" tag "_default()}, sizeof(struct " tag "))"
        if (t ~ /\*$/ && index(headers, "struct " tag " { size_t size;"))
            return "memcpy(&place[" i "], &(size_t){sizeof(struct " tag ")}, sizeof(size_t))"
        if (t ~ /struct .*\*$/ && !index(headers, "struct " tag " {")) return "0" # opaque, and nobody makes one
        if (t ~ /\*$/) return "(" t ")&place[" i "]"
        if (t ~ /^enum /) return "(" t ")1"
        if (t ~ /^double/) return "0.5"
        if (t ~ /^bool/) return "0"
        return "(" t ")size"
    }
    # The call, with parameter `odd` as `value`; odd < 0: every pointer is.
    function call(odd, value, with_err,    i, line) {
        for (i = 0; i < n; i++)
            line = line (i ? ", " : "") \
                (type[i] == "struct stj_error *" ? (with_err ? "err" : "0") \
                    : i == odd || (odd < 0 && pointer(type[i])) ? value : good(type[i], i))
        return name "(" line ")"
    }
    function pointer(t) { return t ~ /\*$/ || t ~ /\(\*/ || t ~ /_fn $/ }
    function body(line, strict, recorded) {
        if (returns ~ /^enum stj_status/)
            return "return judge(" (strict ? 1 : 0) ", " line ", " (recorded ? "err" : "NULL") ");"
        if (returns ~ /^const char \*/) return "touch_text(" line "); return FINE;"
        if (returns ~ /\*/) return "touch(" line "); return FINE;"
        return "(void)" line "; return FINE;"
    }
    function attempt(how) {
        tries = tries "    attempt(\"" name "\", \"" how "\", call_" name ", " cases++ ");\n"
    }
    function parse(line,    i, c, depth, part) {
        n = 0
        returns = name = line
        sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
        sub(/stj_[a-z0-9_]*[(].*/, "", returns)
        line = substr(line, length(returns name) + 2)
        sub(/\)$/, "", line)
        for (i = 1; i <= length(line) + 1; i++) {
            c = substr(line, i, 1)
            depth += (c == "(") - (c == ")")
            if ((c == "," && depth == 0) || i > length(line)) {
                sub(/^ /, "", part)
                if (part ~ /\(\*/) type[n++] = part
                else if (part != "void" && part != "...") { sub(/[a-z0-9_]+$/, "", part); type[n++] = part }
                part = ""
            } else
                part = part c
        }
    }
    /^HEADERS/ { headers = $0; next }
    /^LEFT/ { sub(/^LEFT /, ""); left[$0] = 1; next }
    { declaration[++total] = $0 }
    END {
        for (d = 1; d <= total; d++) {
            parse(declaration[d])
            for (i = 0; i < n; i++)
                if (type[i] ~ /^struct stj_[a-z_]+ \*\*$/) {
                    tag = type[i]; gsub(/struct | |\*/, "", tag)
                    if (!(tag in handle)) print "static struct " tag " *have_" tag ";"
                    handle[tag] = 1
                }
        }
        for (d = 1; d <= total; d++) {
            parse(declaration[d])
            for (i = 0; i < n; i++) {
                tag = type[i]; gsub(/struct | |\*/, "", tag)
                if (type[i] ~ /^struct stj_[a-z_]+ \*\*$/ && returns ~ /^enum/) {
                    maker = call(i, "&made", 1)
                    makers = makers "    case " n_makers++ ":\n        if (!have_" tag ") {\n" \
                        "            struct " tag " *made = NULL;\n            if (" maker " == STJ_OK && made)\n" \
                        "                have_" tag " = made;\n            return made ? MADE : FINE;\n        }\n        break;\n"
                }
            }
            cases = 0; tries = ""
            print "static int call_" name "(int which)\n{\n    struct stj_error record = STJ_ERROR_INIT;\n" \
                "    struct stj_error *err = &record;\n    switch (which) {"
            pointers = 0
            for (i = 0; i < n; i++) pointers += pointer(type[i]) && type[i] != "struct stj_error *"
            print "    case " cases ": " body(call(-1, "0", 0), pointers > 0, 0); attempt("every pointer NULL, and no record")
            print "    case " cases ": " body(call(-1, "0", 1), pointers > 0, 1); attempt("every pointer NULL")
            for (i = 0; i < n; i++) {
                if (pointer(type[i]) && type[i] != "struct stj_error *") {
                    print "    case " cases ": " body(call(i, "0", 1), 0, 1)
                    attempt("argument " i + 1 " NULL")
                }
                if (type[i] ~ /^enum / && type[i] !~ /\*$/) {
                    print "    case " cases ": " body(call(i, "(" type[i] ")NONE", 1), 0, 1)
                    attempt("argument " i + 1 " no value of its enum")
                }
            }
            print "    }\n    (void)err;\n    return FINE;\n}\n"
            if (!(declaration[d] in left)) all = all tries
        }
        print "static int make(int which)\n{\n    struct stj_error record = STJ_ERROR_INIT;\n" \
            "    struct stj_error *err = &record;\n    (void)err;\n    switch (which) {\n" makers "    }\n    return 0;\n}\n\n" \
            "static const int n_makers = " n_makers + 0 ";\n\nstatic void attempt_all(void)\n{\n" all "}"
        print "static void name_unmade(void)\n{"
        for (tag in handle)
            print "    if (!have_" tag ")\n        puts(\"note: nothing made a struct " tag "\");"
        print "}"
    }'
    cat <<'EOF'

int main(void)
{
    for (size_t i = 0; i < ROOM; i++)
        number[i] = 0.1 + 1e-7 * (double)i;
    for (size_t i = 0; i < size; i++)
        number[i * (size + 1)] += 1e-4; /* no matrix of rank one */
    out = fopen("/dev/null", "w");
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < n_makers; i++)
            if (in_child(make, i) == MADE << 8)
                make(i);
    memset(place, 0, sizeof place);
    name_unmade();
    attempt_all();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
EOF
}

scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 99

# build NAME HEADER...: the program NAME.
build()
{
    program=$1
    shift
    calls "$@" > "$program.c"
    # shellcheck disable=SC2086
    ${CC:-cc} $LINK_FLAGS -std=gnu17 -O0 -w -I"$scratch" -I"$top_srcdir/include" "$program.c" $extra "$shared" \
        -Wl,-rpath,"$top_builddir/.libs" -o "$program" || { echo "cannot build $program.c"; exit 99; }
}

# The checker must see a function that dies, one that does not refuse, and a good one.
self_test()
{
    cat > fake.h <<'EOF'
#include <spectraj.h>
enum stj_status stj_fake_dies(const double *x, size_t n, struct stj_error *err);
enum stj_status stj_fake_accepts(double *x, struct stj_error *err);
enum stj_status stj_fake_refuses(double *x, struct stj_error *err);
EOF
    cat > functions.c <<'EOF'
#include "fake.h"
enum stj_status stj_fake_dies(const double *x, size_t n, struct stj_error *err)
{
    return x[n] > 1 ? STJ_EINVAL : STJ_OK;
}
enum stj_status stj_fake_accepts(double *x, struct stj_error *err)
{
    return STJ_OK;
}
enum stj_status stj_fake_refuses(double *x, struct stj_error *err)
{
    return x ? STJ_OK : stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__, "x is NULL");
}
EOF
    extra="-include fake.h functions.c"
    build fake fake.h
    found=$(./fake 2>/dev/null | sed 's/^FAIL: \([a-z_]*\),.*/\1/' | sort -u | tr '\n' ' ')
    [ "$found" = "stj_fake_accepts stj_fake_dies " ] || {
        echo "the checker itself is wrong: found '$found'"
        exit 99
    }
}

self_test
extra=
"$SPECTRAJ" train "$top_srcdir/examples/c/small.yaml" -o x > /dev/null || exit 99
build nulls "$top_srcdir"/include/spectraj/*.h
./nulls
