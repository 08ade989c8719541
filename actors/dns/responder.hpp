// Answers for NAME.vm on UDP and TCP, in the reactor's thread. It serves this machine only: its
// address is a loopback one, and whoever asks from another address is refused.
#pragma once

#include "actors/dns/answer.hpp"
#include "actors/io/reactor.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace banger::dns {

struct responder_options {
  ipv4 address{0x7f000001};               ///< in 127.0.0.0/8
  std::uint16_t port = 42069;             ///< of both transports; 0: any that is free for both
  std::size_t connections = 16;           ///< at once; more are closed
  std::chrono::milliseconds idle{10'000}; ///< then a connection without a whole query is closed
};

/// Since it began to serve, but for `connections`.
struct responder_stats {
  std::uint64_t queries = 0; ///< messages that came, of any kind
  std::uint64_t refused = 0; ///< answered REFUSED; connections from elsewhere or beyond the bound
  std::uint64_t dropped = 0; ///< not answered: no queries, or no room for the answer
  std::uint32_t connections = 0; ///< open now
};

class responder {
public:
  /// Ends serving; the port is free when what is posted to the reactor afterwards runs. Before the
  /// reactor ends.
  virtual ~responder() = default;

  virtual std::uint16_t port() const = 0;
  // From any thread, and in this order; `in_effect` is called in the reactor's thread, once the
  // next query is answered so.
  virtual void set(const vm_name& name, ipv4 address, std::function<void()> in_effect = {}) = 0;
  /// A name that is not there is gone.
  virtual void remove(const vm_name& name, std::function<void()> in_effect = {}) = 0;
  /// These, and no others.
  virtual void replace(const std::map<vm_name, ipv4>& vms,
                       std::function<void()> in_effect = {}) = 0;
  /// `f` is called in the reactor's thread.
  virtual void stats(std::function<void(responder_stats)> f) = 0;
};

/// `already_exists`: the port is taken, by whom is in `why` as far as /proc tells;
/// `bad_request`: the address is no loopback one; `unavailable`: ldns is not installed;
/// `operation_failed`: errno.
expected<std::unique_ptr<responder>> serve_names(io::reactor& loop,
                                                 const responder_options& options = {});

} // namespace banger::dns
