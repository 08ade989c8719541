// The ring that every reader of events reads from.
#include "actors/io/line_ring.hpp"
#include "tests/support/catch.hpp"

using banger::io::line_ring;

namespace {

line_ring filled(int lines, std::size_t most_lines, std::size_t most_bytes = 1000) {
  line_ring ring(most_lines, most_bytes);
  for (int i = 0; i < lines; ++i)
    ring.push(std::to_string(i) + "\n");
  return ring;
}

} // namespace

TEST_CASE("a ring of lines keeps the last ones, by number and by size") {
  const auto by_number = filled(10, 4);
  CHECK(by_number.begin() == 6);
  CHECK(by_number.end() == 10);
  CHECK(by_number.bytes() == 8);
  const auto by_size = filled(10, 100, 6);
  CHECK(by_size.begin() == 7);
  CHECK(by_size.bytes() == 6);
}

TEST_CASE("the last line is kept even if it is too long alone") {
  auto ring = filled(3, 10, 6);
  ring.push(std::string(100, 'x') + "\n");
  CHECK(ring.begin() == 3);
  CHECK(ring.end() == 4);
}

TEST_CASE("a reader gets whole lines, as many as fit and at least one") {
  const auto ring = filled(10, 100);
  std::uint64_t place = 0;
  CHECK(ring.read(place, 10, 5).text == "0\n1\n");
  CHECK(ring.read(place, 10, 1).text == "2\n");
  CHECK(ring.read(place, 5, 100).text == "3\n4\n");
  CHECK(ring.read(place, 5, 100).text.empty());
  CHECK(ring.read(place, 1000, 100).text == "5\n6\n7\n8\n9\n");
  CHECK(place == 10);
}

TEST_CASE("a reader who was too slow is told how many lines he missed, once") {
  const auto ring = filled(10, 4);
  std::uint64_t place = 1;
  auto first = ring.read(place, 10, 2);
  CHECK(first.lost == 5);
  CHECK(first.text == "6\n");
  CHECK(ring.read(place, 10, 100).lost == 0);
  std::uint64_t only_old = 1;
  first = ring.read(only_old, 3, 100); // wanted no others, and they are gone
  CHECK(first.lost == 2);
  CHECK(first.text.empty());
  CHECK(only_old == 3);
}
