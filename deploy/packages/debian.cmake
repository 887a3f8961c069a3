# The Debian packages: deploy/packages/build leaves them in build/package/packages.
#
#     libwarren0       the shared library             libwarren-dev   headers, archive, CMake, pkg-config
#     warren           the command, pages, examples   warren-doc      the pages of docs/
#     warren-dbgsym    what a debugger wants to know about both programs
#
# CPack makes them of the components of install.cmake; finish.cmake does between installing and
# packing what Debian asks for besides. Everything in them is dated by the changelog's first entry,
# so that the same source makes the same bytes wherever and whenever it is built.

file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/changelog changelog)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/changelog)
list(GET changelog 0 first)
list(FILTER changelog INCLUDE REGEX "^ -- .* <.*>  ")
list(GET changelog 0 signature)
string(REGEX MATCH "^warren \\(([0-9.]+)-([0-9]+)\\)" match "${first}")
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CMAKE_MATCH_2})
if(NOT PROJECT_VERSION STREQUAL CMAKE_MATCH_1)
  message(FATAL_ERROR "deploy/packages/changelog: got '${first}', want version ${PROJECT_VERSION}: "
          "each version has an entry there")
endif()
string(REGEX MATCH "^ -- (.*)  (.*)$" match "${signature}")
set(CPACK_PACKAGE_CONTACT "${CMAKE_MATCH_1}")
execute_process(COMMAND date -u -d "${CMAKE_MATCH_2}" +%s OUTPUT_VARIABLE WARREN_EPOCH
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

# --- what they have in common ---------------------------------------------------------------------

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME warren)
set(CPACK_PACKAGE_VENDOR "The Warren authors")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_OUTPUT_FILE_PREFIX packages)
set(CPACK_COMPONENTS_ALL library development command documentation debug)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_WARREN_EPOCH ${WARREN_EPOCH})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SOURCE warren)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
set(WARREN_DEBIAN_VERSION ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

# --- one by one; what a program is linked to finish.cmake adds to its Depends ---------------------

# warren_package(COMPONENT NAME SECTION DESCRIPTION [DEPENDS…])
function(warren_package component name section description)
  string(TOUPPER ${component} part)
  list(JOIN ARGN ", " depends)
  set(CPACK_COMPONENT_${part}_DESCRIPTION "${description}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${part}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${part}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_DEBIAN_${part}_PACKAGE_DEPENDS "${depends}" PARENT_SCOPE)
  set(doc ${CMAKE_INSTALL_DATADIR}/doc/${name})
  install(FILES CHANGELOG.md DESTINATION ${doc} RENAME changelog COMPONENT ${component})
  install(FILES deploy/packages/changelog DESTINATION ${doc} RENAME changelog.Debian COMPONENT ${component})
  install(FILES deploy/packages/copyright DESTINATION ${doc} COMPONENT ${component})
  install(FILES deploy/packages/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
          RENAME ${name} COMPONENT ${component})
endfunction()

set(story "Warren runs jobs from RabbitMQ: C functions per job type on a pool of threads,
limits per type, retries with backoff that the broker holds, dead letters with
their reason, and no job lost on the way.

")
set(development librabbitmq-dev libjson-c-dev libconfig-dev libssl-dev pkg-config)
if(WARREN_HTTP)
  list(APPEND development libmicrohttpd-dev)
endif()

warren_package(library libwarren0 libs "job framework for RabbitMQ, shared library
${story}This package has the shared library.")
warren_package(development libwarren-dev libdevel "job framework for RabbitMQ, development files
${story}This package has what services and plugins are built with: headers, the
library as an archive, and its packages for CMake and pkg-config."
  "libwarren0 (= ${WARREN_DEBIAN_VERSION})" ${development})
warren_package(command warren net "job framework for RabbitMQ, command and worker
${story}This package has the command warren, which is also a worker for plugins, with
manual pages, completion for shells, and examples."
  "libwarren0 (= ${WARREN_DEBIAN_VERSION})")
warren_package(documentation warren-doc doc "job framework for RabbitMQ, documentation
${story}This package has the pages of its documentation.")
warren_package(debug warren-dbgsym debug "debug symbols for libwarren0 and warren
This package has what a debugger wants to know about the library and the
command."
  "libwarren0 (= ${WARREN_DEBIAN_VERSION}) | warren (= ${WARREN_DEBIAN_VERSION})")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS libcurl4) # loaded only where traces are exported
set(CPACK_DEBIAN_COMMAND_PACKAGE_RECOMMENDS procps) # /bin/kill, by which the units reload
set(CPACK_DEBIAN_COMMAND_PACKAGE_SUGGESTS "rabbitmq-server, warren-doc")
set(CPACK_DEBIAN_DOCUMENTATION_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_LIST_DIR}/library/symbols;\
${CMAKE_CURRENT_LIST_DIR}/library/shlibs;${CMAKE_CURRENT_LIST_DIR}/library/triggers")
set(CPACK_DEBIAN_COMMAND_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_LIST_DIR}/command/postinst;\
${CMAKE_CURRENT_LIST_DIR}/command/prerm;${CMAKE_CURRENT_LIST_DIR}/command/postrm")
include(CPack)
