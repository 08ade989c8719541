// The accepting side inside CAF's I/O thread. Only server.cpp includes this.
#pragma once

#include "messages/transport/socket.hpp"
#include "messages/transport/transport.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/network/acceptor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <map>

namespace banger::transport {

class connection;

/// What all connections of a server share. Lives in the I/O thread, apart from construction.
struct door : std::enable_shared_from_this<door> {
  explicit door(caf::actor_system& s) : system(s) {}

  caf::io::network::default_multiplexer& loop() const {
    return static_cast<caf::io::network::default_multiplexer&>(system.middleman().backend());
  }

  void left(connection& which);
  void forgotten(std::uint64_t number) { leaving.erase(number); }
  void overdue(std::uint64_t number);
  void retire();

  caf::actor_system& system;
  options opts;
  std::shared_ptr<const frames::targets> admitted;
  frames::node self{};
  std::shared_ptr<frames::claims> nodes = std::make_shared<frames::claims>();
  caf::actor keeper;
  std::uint64_t last_number = 0;
  std::map<std::uint64_t, connection*> present;
  /// Closed, but their descriptors stay ours until BASP has forgotten them too: it knows
  /// connections by descriptor number, and a new one with an old number would inherit the old one's
  /// end.
  std::map<std::uint64_t, caf::io::scribe_ptr> leaving;
  bool retired = false;
};

using door_ptr = std::shared_ptr<door>;

/// Accepts with close-on-exec, and sheds connections when descriptors run out: the kernel would
/// otherwise report the same waiting connection for ever.
class accepting {
public:
  accepting() : spare_(open_spare()) {}
  accepting(const accepting&) = delete;
  accepting& operator=(const accepting&) = delete;
  ~accepting();
  bool try_accept(int& accepted, int listening);

private:
  static int open_spare();
  int spare_;
};

class doorman final : public caf::io::doorman {
public:
  doorman(door_ptr shared, int socket, std::uint16_t port);

  bool new_connection() override;
  void graceful_shutdown() override;
  void launch() override { acceptor_.start(this); }
  std::string addr() const override { return door_->opts.socket; }
  std::uint16_t port() const override { return port_; }
  void add_to_loop() override { acceptor_.activate(this); }
  void remove_from_loop() override { acceptor_.passivate(); }

private:
  bool refuse(int socket, const client_info& who, const char* why);

  door_ptr door_;
  std::uint16_t port_;
  caf::io::network::acceptor_impl<accepting> acceptor_;
};

/// One accepted connection. BASP gets to see what the guard lets through, and nothing else.
class connection final : public caf::io::network::scribe_impl {
public:
  connection(door_ptr shared, int socket, client_info who);

  std::string addr() const override { return door_->opts.socket; }
  std::uint16_t port() const override { return 0; }
  bool consume(caf::execution_unit* unit, const void* data, std::size_t size) override;
  void flush() override;

  const client_info& who() const { return who_; }
  bool greeted() const { return guard_.greeted(); }
  bool announced() const { return announced_; } ///< `opened` was called
  const std::string& why() const { return why_; }
  void cut(const char* why);

protected:
  void detach_from(caf::io::abstract_broker* broker) override;

private:
  bool on_header(caf::execution_unit* unit, std::span<const char> bytes);
  bool on_payload(caf::execution_unit* unit, std::span<const char> bytes);
  bool deliver(caf::execution_unit* unit, bool with_payload);
  bool expect(std::size_t bytes);
  void after_greeting();

  enum class stage { header, payload, swallowing };

  door_ptr door_;
  client_info who_;
  frames::guard guard_;
  bool announced_ = false;
  stage stage_ = stage::header;
  std::vector<char> held_; ///< the header, until its payload has been judged
  std::string why_;
  bool cut_ = false;
};

} // namespace banger::transport
