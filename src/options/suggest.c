/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/suggest.c: the nearest name to a misspelt one.
 *
 * A word of initials (mse) means the words that begin with them.  Else it is by
 * optimal string alignment distance (Levenshtein with swaps of neighbours), letter case ignored;
 * d(i, j) between the first i letters of a and the first j of b is the least of
 *   d(i-1, j) + 1,  d(i, j-1) + 1,  d(i-1, j-1) + [a_i != b_j],
 *   d(i-2, j-2) + 1  where a_i = b_{j-1} and a_{i-1} = b_j.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "options/option_value.h"

enum { MAX_WORD = 63 }; /* longer words get no suggestion */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int letter(const char *word, size_t i)
{
    return tolower((unsigned char)word[i]);
}

/* Both words have at most MAX_WORD letters. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t d[MAX_WORD + 1][MAX_WORD + 1];
    size_t na = strlen(a);
    size_t nb = strlen(b);
    for (size_t i = 0; i <= na; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= na; i++)
        for (size_t j = 1; j <= nb; j++) {
            size_t differs = letter(a, i - 1) != letter(b, j - 1);
            d[i][j] = least(d[i - 1][j - 1] + differs, 1 + least(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && letter(a, i - 1) == letter(b, j - 2) &&
                letter(a, i - 2) == letter(b, j - 1))
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[na][nb];
}

/* "mse" for mean_squared_error. */
static bool is_initials(const char *word, const char *candidate)
{
    size_t n = 0;
    for (size_t i = 0; candidate[i]; i++)
        if (i == 0 || candidate[i - 1] == '_' || candidate[i - 1] == '-')
            if (letter(word, n++) != letter(candidate, i))
                return false;
    return n > 1 && word[n] == '\0';
}

void stj_suggest_offer(struct stj_suggest_search *search, const char *candidate)
{
    size_t length = strlen(search->word);
    if (length == 0 || length > MAX_WORD || strlen(candidate) > MAX_WORD)
        return;
    /* A slip in three letters, three at most: among short names, such as top, tol and tag, two slips
     * make another name, and long ones share parts, as max_bytes and max_seconds do. */
    size_t limit = least((length + 2) / 3, 3);
    const bool initials = is_initials(search->word, candidate);
    size_t distance = initials ? 0 : edit_distance(search->word, candidate);
    if (distance > limit || distance >= strlen(candidate))
        return;
    if (search->best && distance >= search->distance)
        return;
    search->best = candidate;
    search->distance = distance;
}

void stj_suggest_hint(const struct stj_suggest_search *search, char text[STJ_GOT_MAX])
{
    text[0] = '\0';
    if (search->best)
        snprintf(text, STJ_GOT_MAX, " (did you mean '%s'?)", search->best);
}

const char *stj_suggest(const char *word, const char *const *candidates, size_t n)
{
    struct stj_suggest_search search = {.word = word ? word : ""};
    for (size_t i = 0; candidates && i < n; i++)
        if (candidates[i])
            stj_suggest_offer(&search, candidates[i]);
    return search.best;
}
