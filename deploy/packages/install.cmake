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

# A unit names the command by its path, which is /usr/bin/warren in the packages.
file(GLOB units CONFIGURE_DEPENDS deploy/systemd/*.service)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${units})
foreach(unit ${units})
  get_filename_component(name ${unit} NAME)
  file(READ ${unit} text)
  string(REPLACE /usr/bin/warren ${CMAKE_INSTALL_FULL_BINDIR}/warren text "${text}")
  file(WRITE ${PROJECT_BINARY_DIR}/units/${name} "${text}")
  install(FILES ${PROJECT_BINARY_DIR}/units/${name} DESTINATION lib/systemd/system COMPONENT command)
endforeach()

install(DIRECTORY config/ DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command)
install(DIRECTORY bin/examples/ DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command
        PATTERN CMakeLists.txt EXCLUDE)
foreach(part grafana kubernetes prometheus rabbitmq)
  install(DIRECTORY deploy/${part} DESTINATION ${WARREN_EXAMPLES_FOLDER} COMPONENT command OPTIONAL)
endforeach()

# --- pages to read --------------------------------------------------------------------------------

install(DIRECTORY docs/ DESTINATION ${WARREN_DOC_FOLDER} COMPONENT documentation
        PATTERN docs/reference EXCLUDE)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/warren COMPONENT command)

# The reference of the C interface, where it was built; the packages have it.
install(DIRECTORY ${PROJECT_BINARY_DIR}/reference/html/ DESTINATION ${WARREN_DOC_FOLDER}/reference
        COMPONENT documentation OPTIONAL)
if(WARREN_PACKAGES AND EXISTS ${PROJECT_SOURCE_DIR}/docs/reference/CMakeLists.txt)
  add_custom_target(packaged_reference ALL)
  add_dependencies(packaged_reference reference)
endif()
