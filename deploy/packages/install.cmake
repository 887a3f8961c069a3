# What `cmake --install` puts where, in the components that become Debian packages (debian.cmake):
# library, development, command (its rules are also in bin/CMakeLists.txt) and documentation.
include(CMakePackageConfigHelpers)
set(WARREN_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/Warren)
set(WARREN_DOC_FOLDER ${CMAKE_INSTALL_DATADIR}/doc/warren-doc)
set(WARREN_EXAMPLES_FOLDER ${CMAKE_INSTALL_DATADIR}/doc/warren/examples)

# --- the libraries, each as a component of find_package -------------------------------------------

install(TARGETS warren EXPORT WarrenSharedTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT library NAMELINK_COMPONENT development)
install(TARGETS warren_static EXPORT WarrenStaticTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY lib/include/warren DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
foreach(kind Shared Static)
  install(EXPORT Warren${kind}Targets NAMESPACE warren:: DESTINATION ${WARREN_CMAKE_FOLDER}
          COMPONENT development)
endforeach()
configure_package_config_file(lib/WarrenConfig.cmake.in WarrenConfig.cmake
  INSTALL_DESTINATION ${WARREN_CMAKE_FOLDER} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(WarrenConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/WarrenConfig.cmake ${PROJECT_BINARY_DIR}/WarrenConfigVersion.cmake
        DESTINATION ${WARREN_CMAKE_FOLDER} COMPONENT development)

# From warren.pc up to the prefix, so that an installed copy works wherever it is put.
file(RELATIVE_PATH WARREN_PC_TO_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(WARREN_PC_HTTP "")
if(WARREN_HTTP)
  set(WARREN_PC_HTTP " -lmicrohttpd") # not by Requires: its own private ones are not all installed
endif()
configure_file(lib/warren.pc.in warren.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/warren.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

# --- what stands beside the command ---------------------------------------------------------------

file(GLOB WARREN_UNITS CONFIGURE_DEPENDS deploy/systemd/*.service)
install(FILES ${WARREN_UNITS} DESTINATION lib/systemd/system COMPONENT command)

install(FILES config/warren.cfg DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command)
install(DIRECTORY config/queues DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command)
install(DIRECTORY bin/examples/ DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command
        PATTERN CMakeLists.txt EXCLUDE)
foreach(part container grafana kubernetes prometheus rabbitmq)
  install(DIRECTORY deploy/${part} DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command OPTIONAL)
endforeach()

# --- pages to read --------------------------------------------------------------------------------

install(DIRECTORY docs/ DESTINATION ${WARREN_DOC_FOLDER} COMPONENT documentation
        PATTERN docs/reference EXCLUDE)
install(FILES README.md DESTINATION ${WARREN_DOC_FOLDER} COMPONENT documentation)

# The reference of the C interface is there where somebody built it, and the packages have it.
install(DIRECTORY ${PROJECT_BINARY_DIR}/reference/html/ DESTINATION ${WARREN_DOC_FOLDER}/reference
        COMPONENT documentation OPTIONAL)
if(WARREN_REFERENCE AND EXISTS ${PROJECT_SOURCE_DIR}/docs/reference/CMakeLists.txt)
  add_custom_target(packaged_reference ALL)
  add_dependencies(packaged_reference reference)
endif()
