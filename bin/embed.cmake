# SPDX-License-Identifier: MIT
#
# Writes C with the texts of files: cmake -DOUT=FILE -DFILES=NAME=PATH;… -P embed.cmake
cmake_minimum_required(VERSION 3.25)

set(arrays "")
set(rows "")
set(number 0)
foreach(pair ${FILES})
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${pair}")
  set(name ${CMAKE_MATCH_1})
  file(READ ${CMAKE_MATCH_2} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "static const char text_${number}[] = { ${bytes}0 };\n\n")
  string(APPEND rows "    { \"${name}\", text_${number} },\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "// SPDX-License-Identifier: MIT
// DESIGN: written by bin/embed.cmake from the files that it names.
#include \"template.h\"

${arrays}const struct built_in built_ins[] = {
${rows}    { NULL, NULL },
};
")
