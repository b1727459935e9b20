/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/folder/folder.c: the directory of a run: what is in it, can it be used, clearing it. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "io/file.h"
#include "io/lock.h"
#include "parallel/ranks.h"
#include "run/run_internal.h"

/* What depends on the trajectory of a run beside the results of analyses, and what a killed process
 * leaves; journals were logs once. */
static const char *const result_patterns[] = {
    "study-*.h5", "report.html", "*.journal", "*.log", "*.tmp", "*.new",
};

/* In its folder of figures. */
static const char *const figure_patterns[] = {"*.svg", "*.pdf", "*.png", "*.csv", "*.tmp"};

static bool fits(const char *name, size_t n, const char *const pattern[])
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(pattern[i], name, 0) == 0)
            return true;
    return false;
}

/* ANALYSIS.h5 or ANALYSIS-*.h5, of any that there is. */
static bool is_of_analysis(const char *name)
{
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && strcmp(end, ".h5") == 0 && stj_analyses.list[i]; i++) {
        const char *word = stj_analyses.list[i]->name;
        const size_t n = strlen(word);
        if (strncmp(name, word, n) == 0 && (name + n == end || name[n] == '-'))
            return true;
    }
    return false;
}

static bool is_result_name(const char *name)
{
    return strcmp(name, STJ_TRAINING_JOURNAL) != 0 &&
           (is_of_analysis(name) ||
            fits(name, sizeof result_patterns / sizeof result_patterns[0], result_patterns));
}

static bool is_figure(const char *name)
{
    return fits(name, sizeof figure_patterns / sizeof figure_patterns[0], figure_patterns);
}

static bool belongs_to_a_run(const char *name)
{
    return is_result_name(name) || strcmp(name, STJ_CONFIG_NAME) == 0 ||
           strcmp(name, STJ_TRAJECTORY_NAME) == 0 || strcmp(name, STJ_TRAINING_JOURNAL) == 0 ||
           strcmp(name, STJ_LOCK_NAME) == 0 || strcmp(name, "figures") == 0 ||
           strcmp(name, "recorded") == 0; /* what python/spectraj/torch.py trains from */
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum stj_status look_into(const char *dir, enum stj_folder_state *state,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct dirent *entry;
    *state = STJ_FOLDER_ABSENT;
    DIR *entries = opendir(dir);
    if (!entries && errno == ENOENT)
        return STJ_OK;
    STJ_CHECK(err, entries || errno != ENOTDIR, STJ_EEXIST,
              "%s: is a file, not a directory; choose another name for the run", dir);
    if (!entries)
        return stj_file_failed(dir, "read", errno, err);
    char strange[256] = "";
    bool trajectory = false;
    bool unfinished = false;
    while ((entry = readdir(entries)) != NULL) {
        trajectory = trajectory || strcmp(entry->d_name, STJ_TRAJECTORY_NAME) == 0;
        unfinished = unfinished || strcmp(entry->d_name, STJ_TRAINING_JOURNAL) == 0;
        if (!is_dot(entry->d_name) && !belongs_to_a_run(entry->d_name))
            snprintf(strange, sizeof strange, "%s", entry->d_name);
    }
    *state = unfinished   ? STJ_FOLDER_UNFINISHED
             : trajectory ? STJ_FOLDER_COMPLETE
                          : STJ_FOLDER_FREE;
    STJ_CHECK(err, !strange[0] || *state != STJ_FOLDER_FREE, STJ_EEXIST,
              "%s: is not a run and not empty (it has %s); choose another directory", dir, strange);
out:
    if (entries)
        closedir(entries);
    return st;
}

enum stj_status stj_folder_look(const char *dir, enum stj_folder_state *state,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (stj_rank() == 0)
        st = look_into(dir, state, err);
    stj_ranks_bcast(state, sizeof *state);
    return stj_ranks_agree(st, err);
}

/* Create a file and remove it again. */
static enum stj_status try_to_write(const char *dir, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *path = NULL;
    STJ_TRY(stj_path_join(dir, "probe.tmp", &path, err));
    int fd = stj_file_create(path);
    if (fd < 0) {
        st = stj_file_failed(dir, "written", errno, err);
    } else {
        close(fd);
        unlink(path);
    }
out:
    free(path);
    return st;
}

static enum stj_status check_space(const char *dir, size_t bytes, struct stj_error *err)
{
    struct statvfs about;
    if (statvfs(dir, &about) != 0)
        return STJ_OK; /* unknown: writing will tell */
    double available = (double)about.f_bavail * (double)about.f_frsize;
    STJ_NEED(err, (double)bytes <= available, STJ_EIO,
             "%s: the trajectory needs %zu bytes (%.3g MB) and the disk has %.0f (%.3g MB) left; "
             "free some "
             "space, write to another disk, or keep fewer states (trajectory.every or .max_bytes)",
             dir, bytes, (double)bytes / 1e6, available, available / 1e6);
    return STJ_OK;
}

enum stj_status stj_folder_make(const char *dir, bool *made, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *made = stj_rank() == 0 && mkdir(dir, 0777) == 0;
    if (stj_rank() == 0 && !*made && errno != EEXIST)
        st = stj_file_failed(dir, "created", errno, err);
    STJ_TRY(stj_ranks_agree(st, err));
    if (!stj_file_exists(dir))
        st = stj_error_set(err, STJ_EIO, __FILE__, __LINE__,
                           "%s: is not seen here: all ranks need the same file system, and the "
                           "same working directory",
                           dir);
    STJ_TRY(stj_ranks_agree(st, err));
out:
    return st;
}

enum stj_status stj_folder_check_room(const char *dir, size_t bytes, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (stj_rank() == 0)
        st = try_to_write(dir, err);
    if (stj_rank() == 0 && st == STJ_OK)
        st = check_space(dir, bytes, err);
    return stj_ranks_agree(st, err);
}

/* Remove those files of a folder that `chosen` accepts. */
static void clear(const char *dir, bool (*chosen)(const char *name))
{
    const struct dirent *entry;
    DIR *entries = opendir(dir);
    while (entries && (entry = readdir(entries)) != NULL) {
        char *path = NULL;
        if (!is_dot(entry->d_name) && chosen(entry->d_name) &&
            stj_path_join(dir, entry->d_name, &path, NULL) == STJ_OK)
            unlink(path);
        free(path);
    }
    if (entries)
        closedir(entries);
}

void stj_folder_clear_results(const char *dir)
{
    char *figures = NULL;
    struct stat about;
    if (stj_rank() != 0)
        return;
    clear(dir, is_result_name);
    /* A link leads to a folder that is not the run's. */
    if (stj_path_join(dir, "figures", &figures, NULL) == STJ_OK && lstat(figures, &about) == 0 &&
        S_ISDIR(about.st_mode)) {
        clear(figures, is_figure);
        rmdir(figures); /* stays when there is something else in it */
    }
    free(figures);
}
