# SPDX-License-Identifier: GPL-3.0-or-later
# STJ_LIBTOOL_SPACES: installing into folders with a space in their names.
#
# The script of libtool builds in such a folder, but leaves the names of what it installs unquoted.
# The lines are those of libtool 2.4.6 and 2.4.7; where they are not found, nothing changes.
AC_DEFUN([STJ_LIBTOOL_SPACES],
[AC_CONFIG_COMMANDS([libtool-spaces],
[sed -e '/func_show_eval "\$install_shared_prog/s,\$dir/\$srcname \$destdir/\$realname",\\"\\$dir/\\$srcname\\" \\"\\$destdir/\\$realname\\"",' \
  -e '/func_show_eval "(cd \$destdir/s,(cd \$destdir ,(cd \\"\\$destdir\\" ,' \
  -e '/func_show_eval "\$install_prog/s,\$instname \$destdir/\$name",\\"\\$instname\\" \\"\\$destdir/\\$name\\"",' \
  -e '/func_show_eval "\$install_prog/s,\$file \$destfile",\\"\\$file\\" \\"\\$destfile\\"",' \
  -e '/func_show_eval "\$install_prog/s,\\\$file \\\$destfile",\\"\\$file\\" \\"\\$destfile\\"",' \
  -e '/func_show_eval "\$install_prog/s,\\\$file \\\$oldlib",\\"\\$file\\" \\"\\$oldlib\\"",' \
  -e '/func_show_eval "\$striplib/s,\$destdir/\$realname",\\"\\$destdir/\\$realname\\"",' \
  -e '/func_show_eval "\$old_striplib/s,\$tool_oldlib",\\"\\$tool_oldlib\\"",' \
  -e '/^old_postinstall_cmds=/s,\\\$oldlib,\\\\\\"\\\$oldlib\\\\\\",; /^old_postinstall_cmds=/s,\\\$tool_oldlib,\\\\\\"\\\$tool_oldlib\\\\\\",' \
  libtool > libtoolS && cat libtoolS > libtool && rm -f libtoolS])])
