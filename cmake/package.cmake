# What `cmake --install` puts where, and the Debian packages that `cpack -G DEB` makes of it (scripts/package).
include(GNUInstallDirs)

# The daemon and all that belongs to it; the emulator is a package of its own, for those who try or test.
install(FILES systemd/jitproxy.service systemd/jitproxy.socket DESTINATION lib/systemd/system COMPONENT jitproxy)
install(FILES systemd/user/jitproxy.service DESTINATION lib/systemd/user COMPONENT jitproxy)
install(FILES systemd/jitproxy.sysusers DESTINATION lib/sysusers.d RENAME jitproxy.conf COMPONENT jitproxy)
install(FILES config/jitproxy.toml config/minimal.toml config/sidecar.toml config/hardened.toml
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/jitproxy/examples COMPONENT jitproxy)
install(FILES packaging/man/jitproxy.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT jitproxy)
install(FILES packaging/man/jitproxy.toml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT jitproxy)
install(FILES packaging/completions/jitproxy.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME jitproxy COMPONENT jitproxy)
install(FILES packaging/completions/_jitproxy
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT jitproxy)
install(FILES packaging/completions/jitproxy.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT jitproxy)
install(FILES packaging/man/jitproxy-emulator.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT emulator)

# Of the package alone. The configuration it brings says nothing until somebody edits it: a fact of an example must not
# count for a user's own `jitproxy run`.
file(STRINGS config/minimal.toml minimal)
set(conffile "# Of jitproxy.service; see jitproxy.toml(5). Nothing is set yet. The service's secret: /etc/jitproxy/client_secret.\n")
foreach(line IN LISTS minimal)
  if(line MATCHES "^[^#]")
    string(PREPEND line "# ")
  endif()
  string(APPEND conffile "${line}\n")
endforeach()
file(WRITE ${PROJECT_BINARY_DIR}/package/jitproxy.toml "${conffile}")
install(FILES ${PROJECT_BINARY_DIR}/package/jitproxy.toml DESTINATION /etc/jitproxy COMPONENT jitproxy EXCLUDE_FROM_ALL)
install(FILES packaging/debian/jitproxy.logrotate DESTINATION /etc/logrotate.d RENAME jitproxy COMPONENT jitproxy EXCLUDE_FROM_ALL)
set(JITPROXY_MAINTAINER "jitproxy maintainers <maintainers@jitproxy.example>" CACHE STRING "Who answers for the package")
configure_file(packaging/debian/changelog.in ${PROJECT_BINARY_DIR}/package/changelog @ONLY)
foreach(package jitproxy jitproxy-emulator)
  string(REPLACE "jitproxy-" "" component ${package})
  install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_BINARY_DIR}/package/changelog DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} RENAME changelog.Debian
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} RENAME changelog
    COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME jitproxy)
set(CPACK_PACKAGE_VENDOR "The jitproxy authors")
set(CPACK_PACKAGE_CONTACT ${JITPROXY_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package's own begins its description
set(CPACK_PACKAGE_HOMEPAGE_URL https://lumoauth.dev)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL jitproxy emulator)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/compress_docs.cmake)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
  WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_DEBIAN_JITPROXY_PACKAGE_NAME jitproxy)
set(CPACK_DEBIAN_JITPROXY_PACKAGE_DEPENDS "ca-certificates")
set(CPACK_DEBIAN_JITPROXY_PACKAGE_RECOMMENDS "systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_JITPROXY_PACKAGE_SUGGESTS "jitproxy-emulator, logrotate")
set(CPACK_COMPONENT_JITPROXY_DESCRIPTION "just-in-time permission for AI agents
A local HTTP proxy for AI agents. An agent sends plain requests, with no token
and no permission logic. When a protected API answers 403 and names the
permission that is missing, jitproxy asks LumoAuth for exactly that, waits for
a human where one has to decide, and sends the request again with a token that
was made for it. When the work is done, every permission is gone.
.
The package starts nothing by itself. See jitproxy(1) and jitproxy.toml(5).")
set(CPACK_DEBIAN_JITPROXY_PACKAGE_CONTROL_EXTRA
  "${PROJECT_SOURCE_DIR}/packaging/debian/conffiles;${PROJECT_SOURCE_DIR}/packaging/debian/postinst"
  "${PROJECT_SOURCE_DIR}/packaging/debian/prerm;${PROJECT_SOURCE_DIR}/packaging/debian/postrm")

set(CPACK_DEBIAN_EMULATOR_PACKAGE_NAME jitproxy-emulator)
set(CPACK_COMPONENT_EMULATOR_DESCRIPTION "emulator of LumoAuth and a protected API
An authorization server and a small protected API in one program, to try
jitproxy and to test agents against it. The demo of jitproxy needs it.
.
For a developer's machine only: its admin API asks for no credentials.")
include(CPack)
