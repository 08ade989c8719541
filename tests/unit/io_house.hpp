// A stream server in a folder of its own, and a command that is open in a guest.
#pragma once

#include "actors/io/streams.hpp"
#include "io_fakes.hpp"

namespace banger::io::test {

struct house {
  explicit house(const stream_limits& limits = {}) {
    auto s = serve_streams(loop, socket, limits);
    REQUIRE(s);
    server = std::move(*s);
  }
  fake_client connect(const std::string& token) const { return {socket, token}; }
  stream_stats stats() {
    std::promise<stream_stats> told;
    server->stats([&](stream_stats s) { told.set_value(s); });
    return told.get_future().get();
  }

  temporary_folder folder;
  std::filesystem::path socket = folder.path / "s.sock";
  reactor loop;
  std::unique_ptr<stream_server> server;
};

inline guest::open_body command(const std::string& name) {
  guest::open_body body;
  body.argv = {name};
  return body;
}

/// A client with its command open in the guest.
struct opened {
  opened(house& h, fake_machine& m, const std::string& name = "cat")
      : client(h.connect(h.server->offer_exec(m.link, command(name)).token)) {
    const auto open = m.agent->expect(frame_type::open);
    CHECK(guest::decode<guest::open_body>(open.payload)->argv[0] == name);
    session = open.head.session;
    m.agent->send(frame_type::opened, session, guest::encode(guest::opened_body{77}));
    CHECK(client.expect(frame_type::opened).head.session == 1);
  }
  fake_client client;
  std::uint32_t session = 0;
};

inline std::string exit_with(std::uint32_t status) {
  return guest::encode(guest::exited_body{guest::exit_kind::exited, status});
}

} // namespace banger::io::test
