# How every target of this project is compiled, in one place.
find_package(Threads REQUIRED)
find_package(CAF 0.17.6 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)

add_library(banger_options INTERFACE)
target_compile_features(banger_options INTERFACE cxx_std_20)
target_include_directories(banger_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(banger_options INTERFACE -Wall -Wextra -Wshadow -Wconversion)
target_compile_definitions(banger_options INTERFACE _FILE_OFFSET_BITS=64)
if(BANGER_WERROR)
  target_compile_options(banger_options INTERFACE -Werror)
endif()
if(BANGER_SANITIZE)
  target_compile_options(banger_options INTERFACE
    -fsanitize=${BANGER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(banger_options INTERFACE -fsanitize=${BANGER_SANITIZE})
endif()

# banger_library(NAME SOURCES a.cpp ... [LINK targets...]): a static library without CAF in it.
# banger_actor_library(...): the same, for code that speaks CAF.
function(banger_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC banger_options tl::expected Threads::Threads ${ARG_LINK})
endfunction()

function(banger_actor_library name)
  banger_library(${name} ${ARGN})
  target_link_libraries(${name} PUBLIC CAF::io CAF::core)
endfunction()
