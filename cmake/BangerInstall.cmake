# All that `cmake --install` copies, and before it a look whether all of it was built: whole or nothing.
include(GNUInstallDirs)

set(programs banger bangerd banger-privhelper)
set(generated ${PROJECT_BINARY_DIR}/generated)
set(files ${generated}/stamp)
foreach(program ${programs} banger-init)
  list(APPEND files $<TARGET_FILE:${program}>)
endforeach()

install(CODE "
  set(missing)
  foreach(file ${files})
    if(NOT EXISTS \"\${file}\")
      string(APPEND missing \"\n  \${file}\")
    endif()
  endforeach()
  if(missing)
    message(FATAL_ERROR \"nothing is installed, since these are not built:\${missing}\n\"
      \"build them first: cmake --build ${PROJECT_BINARY_DIR} --target banger_all\")
  endif()")

install(TARGETS ${programs})
install(TARGETS banger-init DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/banger)
install(DIRECTORY ${generated}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(DIRECTORY ${generated}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 FILES_MATCHING PATTERN "*.5")
install(DIRECTORY ${generated}/completion/bash/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(DIRECTORY ${generated}/completion/zsh/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(DIRECTORY ${generated}/completion/fish/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# What is installed, and nothing else: what scripts/quickstart builds.
add_custom_target(banger_all)
add_dependencies(banger_all ${programs} banger-init banger_pages)
