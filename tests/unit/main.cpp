// Compiled once for all test programs: Catch2's own code is the slowest part of each.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
