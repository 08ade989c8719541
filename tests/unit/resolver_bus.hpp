// A bus with a scripted resolver on it: it writes down what it is told, and answers as it should.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "privhelper/resolver/resolver.hpp"
#include "tests/support/catch.hpp"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <thread>
#include <vector>

namespace banger::resolver::test {

using namespace std::chrono_literals;

class scripted_bus {
public:
  scripted_bus() {
    char name[] = "/tmp/banger-test-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder_ = name;
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::snprintf(a.sun_path, sizeof a.sun_path, "%s/bus", name);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~scripted_bus() {
    stop_ = true;
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  scripted_bus(const scripted_bus&) = delete;
  scripted_bus& operator=(const scripted_bus&) = delete;

  bus_options options(std::chrono::milliseconds deadline = 2500ms) const {
    return {"unix:path=" + (folder_ / "bus").string(), deadline};
  }

  /// "SetLinkDomains 7 [(vm yes)]", in order.
  std::vector<std::string> told() {
    std::lock_guard lock(mutex_);
    return told_;
  }

  // Set before it is asked.
  std::map<std::string, std::string> errors; ///< by method: the name of the error
  std::map<std::string, int> heals_after;    ///< by method: from this call on there is no error
  std::string silent_at;                     ///< a method without an answer
  bool never_greets = false;

private:
  struct closed {
    void operator()(sd_bus* b) const { sd_bus_close_unref(b); }
  };

  void serve() {
    while (!stop_) {
      pollfd p{listener_.get(), POLLIN, 0};
      if (::poll(&p, 1, 20) != 1)
        continue;
      unique_fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (never_greets)
        held_.push_back(std::move(peer));
      else
        talk(std::move(peer));
    }
  }

  void talk(unique_fd peer) {
    sd_bus* made = nullptr;
    sd_bus_new(&made);
    const std::unique_ptr<sd_bus, closed> bus(made);
    const int fd = peer.release();
    sd_bus_set_fd(made, fd, fd);
    sd_bus_set_server(made, 1, {});
    sd_bus_set_trusted(made, 1);
    sd_bus_start(made);
    sd_bus_add_filter(made, nullptr, &scripted_bus::heard, this);
    while (!stop_ && sd_bus_is_open(made) > 0) {
      const int r = sd_bus_process(made, nullptr);
      if (r < 0 || (r == 0 && sd_bus_wait(made, 20'000) < 0))
        return;
    }
  }

  static int heard(sd_bus_message* m, void* self, sd_bus_error* /*error*/) {
    return static_cast<scripted_bus*>(self)->answer(m);
  }

  int answer(sd_bus_message* m) {
    const std::string method = sd_bus_message_get_member(m);
    if (method == "Hello")
      return sd_bus_reply_method_return(m, "s", ":1.1");
    std::string said = method + text_of(m);
    std::lock_guard lock(mutex_);
    told_.push_back(std::move(said));
    if (method == silent_at)
      return 1;
    const auto heals = heals_after.find(method);
    const bool healed = heals != heals_after.end() && heals->second-- <= 0;
    if (const auto found = errors.find(method); found != errors.end() && !healed)
      return sd_bus_reply_method_errorf(m, found->second.c_str(), "as the test wants it");
    return sd_bus_reply_method_return(m, "");
  }

  // Each value after a blank; arrays in [], structures in ().
  static std::string text_of(sd_bus_message* m) {
    std::string text;
    char type = 0;
    const char* inside = nullptr;
    while (sd_bus_message_peek_type(m, &type, &inside) > 0) {
      if (type == 'a' || type == 'r') {
        sd_bus_message_enter_container(m, type, inside);
        auto within = text_of(m);
        within.erase(0, 1);
        text += (type == 'a' ? " [" : " (") + within + (type == 'a' ? "]" : ")");
        sd_bus_message_exit_container(m);
      } else {
        text += " " + basic(m, type);
      }
    }
    return text;
  }
  static std::string basic(sd_bus_message* m, char type) {
    union {
      const char* text;
      int number;
      std::uint8_t byte;
      std::uint16_t half;
    } value{};
    sd_bus_message_read_basic(m, type, &value);
    switch (type) {
    case 's': return std::string("'") + value.text + "'";
    case 'b': return value.number != 0 ? "yes" : "no";
    case 'y': return std::to_string(value.byte);
    case 'q': return std::to_string(value.half);
    default: return std::to_string(value.number);
    }
  }

  std::filesystem::path folder_;
  unique_fd listener_;
  std::vector<unique_fd> held_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<std::string> told_;
  std::thread thread_;
};

} // namespace banger::resolver::test
