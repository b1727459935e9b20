/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/nearest.c: which word was meant: edit distance where exchanging two neighbours is one edit. */
#include "args.h"

#include <string.h>

enum { WORD_MAX = 32 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* d[i][j]: edits from the first i letters of a to the first j of b (optimal string alignment). */
static size_t edit_distance(const char *a, const char *b)
{
    size_t m = strlen(a), n = strlen(b);
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= m; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= n; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        for (size_t j = 1; j <= n; j++) {
            size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = smaller(change, smaller(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[m][n];
}

const char *args_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t length = strlen(word);
    size_t least = length / 3 + 2; /* more edits than a third of the word is another word */
    if (length == 0 || length > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (strlen(words[i]) > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, words[i]);
        if (distance < least && distance < length) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}
