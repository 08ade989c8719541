# How every target of this project is compiled, in one place.
find_package(Threads REQUIRED)
find_package(CAF 0.17.6 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)

# A second build of the same sources costs nothing where ccache is installed.
find_program(BANGER_CCACHE ccache)
if(BANGER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BANGER_CCACHE})
endif()

add_library(banger_options INTERFACE)
target_compile_features(banger_options INTERFACE cxx_std_20)
target_include_directories(banger_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(banger_options INTERFACE -Wall -Wextra -Wshadow -Wconversion)
# g++ 12 sees an overlap in `"text" + std::string` that is not there (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(banger_options INTERFACE -Wno-restrict)
endif()
target_compile_definitions(banger_options INTERFACE _FILE_OFFSET_BITS=64)
if(BANGER_WERROR)
  target_compile_options(banger_options INTERFACE -Werror)
endif()

# Address errors are looked for everywhere; undefined behaviour in our own CAF-free code only, since
# CAF 0.17 has some of its own in its headers.
add_library(banger_pure_options INTERFACE)
if(BANGER_SANITIZE)
  set(checks -fsanitize=address -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(BANGER_FUZZ)
    list(APPEND checks -fsanitize=fuzzer-no-link)
  endif()
  target_compile_options(banger_options INTERFACE ${checks})
  target_link_options(banger_options INTERFACE -fsanitize=address,undefined)
  target_compile_options(banger_pure_options INTERFACE -fsanitize=undefined)
endif()

# banger_library(NAME SOURCES a.cpp ... [LINK targets...]): a static library without CAF in it.
# banger_actor_library(...): the same, for code that speaks CAF.
function(banger_plain_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC banger_options tl::expected Threads::Threads ${ARG_LINK})
endfunction()

function(banger_library name)
  banger_plain_library(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:banger_pure_options>)
endfunction()

function(banger_actor_library name)
  banger_plain_library(${name} ${ARGN})
  target_link_libraries(${name} PUBLIC CAF::io CAF::core)
endfunction()
