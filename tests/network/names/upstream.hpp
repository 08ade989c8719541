// The host's name server of before: knows one name, and remembers what it was asked.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace banger::test {

class upstream {
public:
  static constexpr auto address = "127.0.0.2";
  static constexpr auto known = "host.example"; ///< is 192.0.2.7; other names do not exist

  upstream(); ///< on port 53
  ~upstream();
  upstream(const upstream&) = delete;
  upstream& operator=(const upstream&) = delete;

  std::vector<std::string> asked(); ///< names in lower case, with dots between labels

private:
  void serve();
  std::string answer(const std::string& query);

  unique_fd socket_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

} // namespace banger::test
