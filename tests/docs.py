# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/docs.py links|commands|words|release TOP SPECTRAJ: what is wrong with the documents, a line each; nothing where nothing is."""
import datetime
import glob
import os
import re
import subprocess
import sys

what, top, spectraj = sys.argv[1:4]
os.chdir(top)
pages = sorted(["README.md", "CONTRIBUTING.md"] + glob.glob("docs/*.md") + glob.glob("examples/*/README.md"))


def blocks(page):
    """The page's lines with True for those of code: fenced, or indented by four blanks behind a blank line."""
    fenced, indented, blank, listed = False, False, True, False
    for line in open(page, encoding="utf-8").read().split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            yield line, True
            continue
        if not fenced:
            indented = line.startswith("    ") and (indented or blank) or (indented and not line.strip())
            listed = bool(re.match(r"\s*([-*]|\d+\.) ", line)) or (listed and (not line.strip() or line.startswith(" ")))
        blank = not line.strip()
        yield line, fenced or (indented and (not listed or line.startswith("      ")))


def anchors(page):
    found = set()
    for line, code in blocks(page):
        if line.startswith("#") and not code:
            title = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", line.lstrip("# ")).lower()
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def links():
    for page in pages:
        text = "\n".join(re.sub(r"`[^`]*`", "``", line) for line, code in blocks(page) if not code)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(path):
                print(f"{page}: {target}: there is no such file")
            elif anchor and path.endswith(".md") and anchor not in anchors(path):
                print(f"{page}: {target}: {path} has no such heading")
    contents = open("docs/README.md", encoding="utf-8").read()
    made = open("docs/local.mk", encoding="utf-8").read()
    for page in (os.path.basename(page) for page in pages if page.startswith("docs/")):
        if page != "README.md" and f"({page})" not in contents:
            print(f"docs/README.md does not name {page}")
        if f"/{page}\n" not in made:
            print(f"docs/local.mk does not name {page}")


def options_of(command, cache={}):
    if command not in cache:
        done = subprocess.run([spectraj, *command, "--help"], capture_output=True, text=True)
        cache[command] = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout)) if done.returncode == 0 else None
    return cache[command]


def commands():
    for page in pages:
        for line, code in blocks(page):
            line = re.sub(r"\s# .*", "", line)
            said = re.findall(r"(?:^\s*(?:\$ |mpirun [^|;]*?)?|[;&|(] *)spectraj +([^|;&)>]*)", line) if code else \
                re.findall(r"`spectraj ([^`]*)`", line)
            for words in (text.split() for text in said):
                if not words or not re.fullmatch("[a-z]+", words[0]) or words[0] in ("help", "wrote"):
                    continue
                name = (words[0],)
                if words[0] == "study" and len(words) > 1 and re.fullmatch("[a-z-]+", words[1]) and words[1] != "help":
                    name = tuple(words[:2])
                known = options_of(name)
                if page == "docs/adding-an-analysis.md" and name == ("diagonal",):
                    continue  # the one that the page makes
                if known is None:
                    print(f"{page}: there is no command 'spectraj {' '.join(name)}'")
                    continue
                for word in words[1:]:
                    option = re.match(r"\[?(--[a-z-]+|-[a-z]\b)", word)
                    if option and option[1] not in known:
                        print(f"{page}: 'spectraj {' '.join(name)}' has no option {option[1]}")


AMERICAN = re.compile(r"\b(behavior|colors?|colored|favor|neighbors?|neighborhood|center(?:ed|s)?|analyze[sd]?|analyzing|gray|modeled|modeling|"
                      r"labeled|labeling|canceled|traveled|catalog|license[sd]? of|fulfill|\w+(?:ali|eri|(?<!opt)imi|ini|ogni|ummari|uthori|egulari)z(?:e|es|ed|"
                      r"ing|ation|ations|er|ers))\b", re.I)


def words():
    """British spelling in running text: code and titles, which have names of their own, are left out."""
    for page in pages:
        for number, (line, code) in enumerate(blocks(page), 1):
            line = re.sub(r"`[^`]*`|\]\([^)]*\)|\"[^\"]*\"|<[^>]*>|\*[A-Z][^*]*\*", " ", line)
            for found in [] if code else AMERICAN.findall(line):
                print(f"{page}:{number}: '{found}' is not British spelling")


def release():
    """Version and date of the release are the same wherever they stand."""
    def said(path, pattern):
        found = re.search(pattern, open(path, encoding="utf-8").read(), re.M)
        return found[1] if found else "nothing"
    version = said("configure.ac", r"^AC_INIT\(\[spectraj\], \[([^]]*)\]")
    date = said("configure.ac", r'STJ_RELEASE_DATE\], \["([^"]*)"\]')
    day = datetime.date.fromisoformat(date).strftime("%d %b %Y")
    for path, pattern, wanted in (("CITATION.cff", r"^version: (.*)$", version), ("CITATION.cff", r"^date-released: (.*)$", date),
                                  ("NEWS", r"^(\d\S*)", version), ("debian/changelog", r"\Aspectraj \(([^)-]*)", version),
                                  ("debian/changelog", r"^ -- .*>  \w+, (\d+ \w+ \d+)", day)):
        if said(path, pattern) != wanted:
            print(f"{path}: {said(path, pattern)}, but configure.ac says {wanted}")


{"links": links, "commands": commands, "words": words, "release": release}[what]()
