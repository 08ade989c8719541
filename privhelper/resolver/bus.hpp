// One connection to a bus, for a few calls to systemd-resolved. Inside this folder only.
#pragma once

#include "messages/base/error.hpp"
#include "privhelper/resolver/resolver.hpp"

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>

namespace banger::resolver {

/// libsystemd is loaded with the first connection.
decltype(&::sd_bus_message_append) append();

/// What a link's method is told after the link's number. Answers below 0 are errno values.
using arguments = std::function<int(sd_bus_message*)>;

class resolved_bus {
public:
  /// The deadline begins here.
  static expected<resolved_bus> connect(const bus_options& options);

  /// A method of org.freedesktop.resolve1.Manager whose first argument is a link. The resolver is
  /// not started for it.
  expected<void> call(const char* method, int ifindex, const arguments& rest = {});

private:
  using clock = std::chrono::steady_clock;
  // Not flushed: that could wait for ever. Nothing is under way when it goes.
  struct closed {
    void operator()(sd_bus* bus) const;
  };

  resolved_bus(sd_bus* bus, clock::time_point until) : bus_(bus), until_(until) {}
  expected<void> await_greeting();
  /// At least 1: 0 would mean a default.
  std::uint64_t left_us() const;

  std::unique_ptr<sd_bus, closed> bus_;
  clock::time_point until_;
};

} // namespace banger::resolver
