// A stream whose far end is a command in a guest: checks what passes, and passes it on.
#include "actors/io/session.hpp"
#include "actors/io/stream_client.hpp"

#include <array>
#include <optional>

namespace banger::io {

namespace {

using guest::frame_type;
using guest::header;
using guest::stream_id;

constexpr std::size_t longest_control = 4096;
constexpr std::size_t most_controls = 64;

/// Where one stream stands.
struct position {
  std::uint64_t next = 0;  ///< offset of the first byte that was not sent yet
  std::uint64_t acked = 0; ///< all before it was consumed
  bool ended = false;

  /// What is wrong with this frame of data.
  const char* take(const header& h) {
    if (ended)
      return "data after eof";
    if (h.offset != next)
      return "data with a gap or sent twice";
    if (next + h.length - acked > guest::window)
      return "more data than the window allows";
    next += h.length;
    return nullptr;
  }
  const char* take_eof(const header& h) {
    if (ended || h.offset != next || h.length != 0)
      return "a wrong eof";
    ended = true;
    return nullptr;
  }
  const char* take_ack(const header& h, std::uint64_t delivered) {
    if (h.offset < acked || h.offset > delivered || h.length != 0)
      return "an ack for bytes that were not sent";
    acked = h.offset;
    return nullptr;
  }
};

std::size_t size_of(const guest::open_body& command) {
  std::size_t bytes = 0;
  for (const auto* list : {&command.argv, &command.env})
    for (const auto& word : *list)
      bytes += sizeof(std::string) + word.size();
  return bytes;
}

class exec final : public stream, public session_sink, public std::enable_shared_from_this<exec> {
public:
  exec(std::shared_ptr<machine_link> link, std::uint32_t session, guest::open_body command)
      : link_(std::dynamic_pointer_cast<session_link>(std::move(link))), number_(session),
        command_(std::move(command)), command_bytes_(size_of(command_)) {}
  exec(std::shared_ptr<machine_link> link, std::uint32_t session, guest::attach_body from)
      : link_(std::dynamic_pointer_cast<session_link>(std::move(link))), number_(session),
        from_(from) {}

  // stream: the client's side
  void begin(stream_client& client) override;
  std::string from_client(const header& h, std::string_view payload) override;
  bool wants_input() const override { return !link_ || !link_->congested(); }
  std::size_t buffered_bytes() const override { return command_bytes_; }
  void end() override;
  void let_go() override {
    client_ = nullptr;
    session_ = 0;
  }

  // session_sink: the guest's side
  void from_guest(const header& h, std::string_view payload) override;
  void on_batch_end() override;
  void on_lost(const std::string& why) override;
  void on_cut() override {
    session_ = 0;
    if (client_ != nullptr)
      client_->let_go();
  }
  void on_drained() override {
    if (client_ != nullptr)
      client_->resume();
  }

private:
  const char* relay_to_guest(const header& h, std::string_view payload);
  const char* relay_to_client(const header& h, std::string_view payload);
  const char* control_to_client(const header& h, std::string_view payload);
  position& at(stream_id s) { return positions_[static_cast<std::size_t>(s)]; }

  expected<void> reach();

  std::shared_ptr<session_link> link_;
  std::uint32_t number_;
  guest::open_body command_;
  std::size_t command_bytes_ = 0;
  std::optional<guest::attach_body> from_; ///< to go on with a command that runs
  stream_client* client_ = nullptr;
  std::uint32_t session_ = 0; ///< once it is ours
  bool stdin_known_ = true;   ///< after an attach, the guest's first ack says where stdin stands
  std::array<position, 3> positions_{};
  bool over_ = false;
};

void exec::begin(stream_client& client) {
  client_ = &client;
  if (!link_)
    return client.fail_with("this machine has no sessions");
  if (auto reached = reach(); !reached)
    return client.fail_with(describe(reached.error()));
  session_ = number_;
}

expected<void> exec::reach() {
  if (!from_) {
    const auto command = std::exchange(command_, {});
    command_bytes_ = 0;
    return link_->open_session(number_, command, shared_from_this());
  }
  stdin_known_ = false;
  at(stream_id::out) = {from_->out, from_->out};
  at(stream_id::err) = {from_->err, from_->err};
  return link_->attach_session(number_, *from_, shared_from_this());
}

std::string exec::from_client(const header& h, std::string_view payload) {
  const auto* wrong = relay_to_guest(h, payload);
  return wrong != nullptr ? wrong : "";
}

const char* exec::relay_to_guest(const header& h, std::string_view payload) {
  const char* wrong = nullptr;
  const bool to_stdin = h.stream == stream_id::in;
  switch (h.type) {
  case frame_type::data:
    wrong = to_stdin && stdin_known_ ? at(h.stream).take(h) : "data that has no place here";
    break;
  case frame_type::eof:
    wrong = to_stdin && stdin_known_ ? at(h.stream).take_eof(h) : "eof that has no place here";
    break;
  case frame_type::ack:
    // What waits here is not delivered: an ack for it would lift the bound on it.
    wrong = to_stdin
                ? "an ack for its own input"
                : at(h.stream).take_ack(h, at(h.stream).next - client_->out().queued(h.stream));
    break;
  case frame_type::signal:
    wrong = guest::decode<guest::signal_body>(payload) ? nullptr : "a damaged signal";
    break;
  case frame_type::resize:
    wrong = guest::decode<guest::resize_body>(payload) ? nullptr : "a damaged resize";
    break;
  case frame_type::urgent:
    wrong = to_stdin && payload.size() == 1 ? nullptr : "a damaged key";
    if (link_->protocol() < guest::urgent_since)
      return wrong; // it comes as a byte of the input, too
    break;
  case frame_type::close: client_->finish(); return nullptr;
  default: return "a frame that a client may not send";
  }
  if (wrong != nullptr)
    return wrong;
  auto head = h;
  head.session = session_;
  link_->send(head, payload);
  return nullptr;
}

void exec::from_guest(const header& h, std::string_view payload) {
  if (client_ == nullptr || over_)
    return;
  if (const auto* wrong = relay_to_client(h, payload))
    return client_->fail_with(std::string("the guest's agent broke the protocol: ") + wrong);
  if (over_)
    client_->finish();
}

void exec::on_batch_end() {
  if (client_ == nullptr)
    return;
  client_->out().flush();
  client_->written();
}

const char* exec::relay_to_client(const header& h, std::string_view payload) {
  auto& out = client_->out();
  const bool of_stdin = h.stream == stream_id::in;
  const bool output = h.type == frame_type::data || h.type == frame_type::eof;
  if ((output && of_stdin) || (h.type == frame_type::ack && !of_stdin))
    return "a frame for the wrong stream";
  switch (h.type) {
  case frame_type::data:
    if (const auto* wrong = at(h.stream).take(h))
      return wrong;
    out.data(h.stream, h.offset, payload);
    return nullptr;
  case frame_type::ack:
    if (!std::exchange(stdin_known_, true))
      at(h.stream) = {h.offset, h.offset};
    if (const auto* wrong = at(h.stream).take_ack(h, at(h.stream).next))
      return wrong;
    out.ack(h.offset);
    return nullptr;
  case frame_type::eof:
    if (const auto* wrong = at(h.stream).take_eof(h))
      return wrong;
    return control_to_client(h, payload);
  case frame_type::taken:
    if (!of_stdin || !payload.empty() || (stdin_known_ && h.offset > at(h.stream).next))
      return "a wrong count of the input that was read";
    return control_to_client(h, payload);
  default: return control_to_client(h, payload);
  }
}

const char* exec::control_to_client(const header& h, std::string_view payload) {
  if (payload.size() > longest_control || client_->out().controls() >= most_controls)
    return "too many or too long answers";
  if (h.type == frame_type::exited) {
    if (!guest::decode<guest::exited_body>(payload))
      return "a damaged exit status";
    over_ = true;
  }
  if (h.type == frame_type::failed) {
    const auto body = guest::decode<guest::failed_body>(payload);
    if (!body)
      return "a damaged error";
    // Otherwise a signal or a resize went wrong.
    over_ = body->request == frame_type::open || body->request == frame_type::attach;
  }
  client_->out().control(h, payload);
  return nullptr;
}

void exec::on_lost(const std::string& why) {
  session_ = 0;
  if (client_ != nullptr)
    client_->fail_with("the command was cut off: " + why);
}

void exec::end() {
  client_ = nullptr;
  if (const auto session = std::exchange(session_, 0); session != 0)
    link_->close_session(session);
}

} // namespace

std::shared_ptr<stream> exec_stream(std::shared_ptr<machine_link> link, std::uint32_t session,
                                    guest::open_body command) {
  return std::make_shared<exec>(std::move(link), session, std::move(command));
}

std::shared_ptr<stream> attach_stream(std::shared_ptr<machine_link> link, std::uint32_t session,
                                      guest::attach_body from) {
  return std::make_shared<exec>(std::move(link), session, from);
}

} // namespace banger::io
