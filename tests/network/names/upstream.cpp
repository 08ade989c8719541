#include "upstream.hpp"
#include "tests/support/catch.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

namespace banger::test {

upstream::upstream() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(53);
  ::inet_pton(AF_INET, address, &a.sin_addr);
  REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
  thread_ = std::thread([this] { serve(); });
}

upstream::~upstream() {
  stop_ = true;
  thread_.join();
}

std::vector<std::string> upstream::asked() {
  std::lock_guard lock(mutex_);
  return asked_;
}

void upstream::serve() {
  while (!stop_) {
    pollfd p{socket_.get(), POLLIN, 0};
    if (::poll(&p, 1, 20) != 1)
      continue;
    char buffer[4096];
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const auto n = ::recvfrom(socket_.get(), buffer, sizeof buffer, 0,
                              reinterpret_cast<sockaddr*>(&peer), &size);
    if (n < 12)
      continue;
    const auto said = answer({buffer, static_cast<std::size_t>(n)});
    ::sendto(socket_.get(), said.data(), said.size(), 0, reinterpret_cast<const sockaddr*>(&peer),
             size);
  }
}

// Only our own resolvers ask here: the query is well-formed.
std::string upstream::answer(const std::string& query) {
  std::string name;
  std::size_t at = 12;
  for (; query.at(at) != 0; at += 1 + static_cast<unsigned char>(query[at]))
    name += (name.empty() ? "" : ".") + query.substr(at + 1, static_cast<unsigned char>(query[at]));
  for (char& c : name)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  {
    std::lock_guard lock(mutex_);
    asked_.push_back(name);
  }
  const bool is_a = query.substr(at + 1, 4) == std::string("\0\1\0\1", 4);
  const bool exists = name == known;
  const bool has_record = exists && is_a;
  std::string said = query.substr(0, 2);
  said += '\x81';                   // an answer, to who wanted recursion
  said += exists ? '\x80' : '\x83'; // found, or NXDOMAIN
  said += std::string("\0\1\0", 3); // one question
  said += has_record ? '\1' : '\0'; // and its answer
  said += std::string(4, '\0');     // and nothing else
  said += query.substr(12, at + 5 - 12);
  if (has_record)
    said += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", 16);
  return said;
}

} // namespace banger::test
