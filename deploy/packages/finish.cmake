# Run by CPack between installing the components and packing them: what Debian asks for and CPack
# doesn't do. Manual pages and changelogs are compressed, programs stripped and their symbols put
# aside, and the libraries they are linked to named in Depends. CPACK_TEMPORARY_DIRECTORY has a
# folder for each component.
set(ENV{LC_ALL} C.UTF-8)

function(command)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# compress FILE…: as Debian does, without name and date.
function(compress)
  foreach(file ${ARGN})
    command(gzip -9n ${file})
  endforeach()
endfunction()

# A program's symbols, at the place where gdb looks for them.
function(put_symbols_aside program)
  execute_process(COMMAND readelf -n ${program} OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
  if(NOT notes MATCHES "Build ID: ([0-9a-f][0-9a-f])([0-9a-f]+)")
    message(FATAL_ERROR "${program} has no build ID")
  endif()
  set(folder ${CPACK_TEMPORARY_DIRECTORY}/debug/usr/lib/debug/.build-id/${CMAKE_MATCH_1})
  file(MAKE_DIRECTORY ${folder})
  command(objcopy --only-keep-debug --compress-debug-sections ${program} ${folder}/${CMAKE_MATCH_2}.debug)
  file(CHMOD ${folder}/${CMAKE_MATCH_2}.debug PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  command(strip --strip-unneeded --remove-section=.comment --remove-section=.note ${program})
endfunction()

# Adds to the component's Depends what its program is linked to. Warren's own library is named by
# debian.cmake: it may be installed while this runs, or not.
function(depend_on_libraries component program)
  set(folder ${CPACK_TEMPORARY_DIRECTORY}/shlibdeps)
  file(WRITE ${folder}/debian/control "Source: warren\n\nPackage: warren\nArchitecture: any\n")
  execute_process(COMMAND dpkg-shlibdeps -O --ignore-missing-info -xlibwarren0 -l${libraries} ${program}
                  WORKING_DIRECTORY ${folder} OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE_RECURSE ${folder})
  string(REGEX REPLACE "^shlibs:Depends=" "" found "${found}")
  set(variable CPACK_DEBIAN_${component}_PACKAGE_DEPENDS)
  list(APPEND ${variable} "${found}")
  list(REMOVE_ITEM ${variable} "")
  list(JOIN ${variable} ", " depends)
  set(${variable} "${depends}" PARENT_SCOPE)
endfunction()

# Where Debian's zsh looks.
set(zsh ${CPACK_TEMPORARY_DIRECTORY}/command/usr/share/zsh)
file(RENAME ${zsh}/site-functions ${zsh}/vendor-completions)

file(GLOB_RECURSE pages ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/*.[1-8])
if(NOT pages)
  message(FATAL_ERROR "There are no manual pages to pack: install scdoc, remove build/package, build again")
endif()
file(GLOB_RECURSE changelogs ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/doc/changelog
     ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/doc/changelog.Debian)
compress(${pages} ${changelogs})

file(GLOB_RECURSE library ${CPACK_TEMPORARY_DIRECTORY}/library/usr/lib/libwarren.so.*.*.*)
file(GLOB_RECURSE archive ${CPACK_TEMPORARY_DIRECTORY}/development/usr/lib/libwarren.a)
set(program ${CPACK_TEMPORARY_DIRECTORY}/command/usr/bin/warren)
get_filename_component(libraries ${library} DIRECTORY)
put_symbols_aside(${library})
put_symbols_aside(${program})
command(strip --strip-debug --enable-deterministic-archives --remove-section=.comment ${archive})

# The packages' folders are known, and pkg-config leaves out those that every compiler searches.
file(GLOB_RECURSE pc ${CPACK_TEMPORARY_DIRECTORY}/development/usr/lib/warren.pc)
file(READ ${pc} text)
string(REGEX REPLACE "^prefix=[^\n]*" "prefix=/usr" text "${text}")
file(WRITE ${pc} "${text}")

depend_on_libraries(LIBRARY ${library})
depend_on_libraries(COMMAND ${program})

# The date of every file in the packages, unless somebody wants another one.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  set(ENV{SOURCE_DATE_EPOCH} ${CPACK_WARREN_EPOCH})
endif()

# Each description begins with a summary of its own.
unset(CPACK_PACKAGE_DESCRIPTION_SUMMARY)
