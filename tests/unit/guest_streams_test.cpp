#include "guest/streams.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <fcntl.h>

using namespace banger::guest;
using banger::unique_fd;

namespace {

struct pipe_ends {
  unique_fd read, write;
  pipe_ends() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  void put(const std::string& text) const {
    REQUIRE(::write(write.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string take() const {
    std::string text(1 << 20, '\0');
    const auto size = ::read(read.get(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
};

struct fixture {
  loop events;
  pipe_ends pipe;
  fixture() {
    ::signal(SIGPIPE, SIG_IGN);
    REQUIRE(events.open());
  }
  // One round of events, so that the stream knows that it can go on.
  void turn() {
    events.after_ms(0, [this] { events.stop(); });
    events.run([] { return false; });
  }
};

std::vector<frame> frames_of(outgoing& stream, std::size_t room = 32768) {
  parser p(frame_type::hello);
  std::string bytes;
  encode(bytes, header{frame_type::hello, stream_id::in, 0, 0, 0}, "");
  while (stream.next_frame(bytes, room, 1)) {
  }
  p.feed(bytes);
  REQUIRE(p.next());
  std::vector<frame> list;
  while (auto f = p.next())
    list.push_back(std::move(*f));
  return list;
}

} // namespace

TEST_CASE_METHOD(fixture, "output is sent once, and again after an attach, until acknowledged") {
  outgoing out(stream_id::out);
  REQUIRE(out.start(events, std::move(pipe.read)));
  pipe.put("hello world");
  turn();
  CHECK(out.read_more(events));
  auto list = frames_of(out, header_size + 6);
  REQUIRE(list.size() == 2);
  CHECK(list[0].payload == "hello ");
  CHECK(list[1].head.offset == 6);
  CHECK(frames_of(out).empty());
  CHECK(out.acknowledge(6));
  CHECK_FALSE(out.acknowledge(12));
  CHECK_FALSE(out.rewind(5));
  REQUIRE(out.rewind(8));
  list = frames_of(out);
  REQUIRE(list.size() == 1);
  CHECK(list[0].head.offset == 8);
  CHECK(list[0].payload == "rld");
  out.close(events);
}

TEST_CASE_METHOD(fixture, "output stops at the window, and goes on when it is acknowledged") {
  outgoing out(stream_id::out);
  REQUIRE(out.start(events, std::move(pipe.read)));
  REQUIRE(::fcntl(pipe.write.get(), F_SETPIPE_SZ, 1 << 20) == 1 << 20);
  std::string sent(window + 1000, 'x');
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<char>(i * 7 % 251);
  pipe.put(sent);
  turn();
  out.read_more(events);
  std::string got;
  for (const auto& f : frames_of(out))
    got += f.payload;
  CHECK(got.size() == window);
  CHECK_FALSE(out.read_more(events));
  CHECK(out.acknowledge(4000));
  CHECK(out.read_more(events));
  for (const auto& f : frames_of(out)) {
    CHECK(f.head.offset == got.size());
    got += f.payload;
  }
  CHECK((got == sent));
  out.close(events);
}

TEST_CASE_METHOD(fixture, "the end of output comes after its bytes, and once") {
  outgoing out(stream_id::err);
  REQUIRE(out.start(events, std::move(pipe.read)));
  pipe.put("x");
  pipe.write.reset();
  turn();
  out.read_more(events);
  const auto list = frames_of(out);
  REQUIRE(list.size() == 2);
  CHECK(list[1].head.type == frame_type::eof);
  CHECK(list[1].head.stream == stream_id::err);
  CHECK(list[1].head.offset == 1);
  CHECK(out.eof_sent());
  CHECK(frames_of(out).empty());
  REQUIRE(out.rewind(1));
  CHECK(frames_of(out).size() == 1);
}

TEST_CASE_METHOD(fixture, "a stream that was given up ends with what lay in the pipe") {
  outgoing out(stream_id::out);
  REQUIRE(out.start(events, std::move(pipe.read)));
  pipe.put("last words");
  turn();
  out.give_up();
  out.read_more(events);
  CHECK(out.at_end());
  const auto list = frames_of(out);
  REQUIRE(list.size() == 2);
  CHECK(list[0].payload == "last words");

  outgoing quiet(stream_id::out);
  pipe_ends other;
  REQUIRE(quiet.start(events, std::move(other.read)));
  quiet.give_up();
  quiet.read_more(events);
  CHECK(quiet.at_end());
}

TEST_CASE_METHOD(fixture, "input is written in order, and bytes that came before are passed over") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), false));
  CHECK(in.receive(0, "abcdef"));
  CHECK(in.receive(2, "cdefgh"));
  CHECK(in.receive(0, "abc"));
  CHECK_FALSE(in.receive(9, "gap"));
  CHECK(in.consumed() == 0);
  CHECK(in.write_more(events));
  CHECK(pipe.take() == "abcdefgh");
  CHECK(in.consumed() == 8);
  CHECK_FALSE(in.end(9));
  CHECK(in.end(8));
  CHECK(in.receive(4, "efgh"));
  CHECK_FALSE(in.receive(8, "more"));
  in.write_more(events);
  CHECK(in.ack_due());
  CHECK_FALSE(in.ack_due());
  CHECK(::fcntl(pipe.read.get(), F_GETFD) >= 0);
  char byte = 0;
  CHECK(::read(pipe.read.get(), &byte, 1) == 0);
}

TEST_CASE_METHOD(fixture,
                 "input is acknowledged when it was written, a quarter of a window at a time") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), false));
  const std::string bytes(window, 'x');
  CHECK(in.receive(0, bytes));
  CHECK_FALSE(in.receive(window, "y"));
  in.write_more(events);
  const auto first = in.consumed();
  CHECK(first == 4096); // what a pipe holds while it is counted what the command reads
  CHECK_FALSE(in.ack_due());
  std::uint64_t taken = 0;
  while (taken < 2 * 65536) {
    taken += pipe.take().size();
    turn();
    in.write_more(events);
  }
  CHECK(in.ack_due());
  CHECK_FALSE(in.ack_due());
  in.close(events);
  CHECK(in.consumed() == window);
}

TEST_CASE_METHOD(fixture,
                 "what a command has read is counted page by page, and exactly at the end") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), false));
  CHECK(in.counts());
  const std::string bytes(10'000, 'x');
  REQUIRE(in.receive(0, bytes));
  in.write_more(events);
  turn();
  in.write_more(events);
  CHECK(in.taken() == 0);
  CHECK(pipe.take().size() == 4096);
  turn();
  in.write_more(events);
  CHECK(in.taken() == 4096);
  char some[100];
  REQUIRE(::read(pipe.read.get(), some, sizeof some) == 100);
  turn();
  in.write_more(events);
  CHECK(in.consumed() == 8192);
  in.close(events);
  CHECK(in.taken() == 4196);
  CHECK(in.consumed() == 10'000);
}

TEST_CASE_METHOD(fixture, "a command that reads on gets a pipe that holds more") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), false));
  REQUIRE(in.receive(0, std::string(window, 'x')));
  for (std::uint64_t read = 0; read < counted_input; turn()) {
    in.write_more(events);
    read += pipe.take().size();
  }
  in.write_more(events);
  CHECK(in.taken() == counted_input);
  CHECK(in.consumed() == counted_input + 256 * 1024);
  in.close(events);
  CHECK(in.taken() == counted_input);
}

TEST_CASE_METHOD(fixture, "what is left of input that ended is seen as well") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), false));
  REQUIRE(in.receive(0, "one\ntwo\n"));
  REQUIRE(in.end(8));
  in.write_more(events);
  char some[4];
  REQUIRE(::read(pipe.read.get(), some, sizeof some) == 4);
  pipe.read.reset();
  in.close(events);
  CHECK(in.taken() == 4);
}

TEST_CASE_METHOD(fixture,
                 "a command that writes to its own input is counted no less and no further") {
  incoming in;
  const auto own = "/proc/self/fd/" + std::to_string(pipe.read.get());
  const unique_fd command(::open(own.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(command);
  REQUIRE(in.start(events, std::move(pipe.write), false));
  REQUIRE(in.receive(0, "hi"));
  in.write_more(events);
  REQUIRE(::write(command.get(), "abcd", 4) == 4);
  turn();
  in.write_more(events);
  CHECK(in.taken() == 0);
  CHECK(pipe.take() == "hiabcd");
  turn();
  REQUIRE(in.receive(2, "more"));
  in.write_more(events);
  in.close(events);
  CHECK(in.taken() == 2);
}

TEST_CASE_METHOD(fixture, "what a command does not want to read is taken and thrown away") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), false));
  pipe.read.reset();
  CHECK(in.receive(0, "abc"));
  in.write_more(events);
  CHECK(in.consumed() == 3);
  CHECK(in.receive(3, std::string(window, 'x')));
  CHECK(in.consumed() == window + 3);
  CHECK(in.ack_due());
  CHECK(in.end(window + 3));
}

TEST_CASE_METHOD(fixture, "timers run in the order in which they are due, unless cancelled") {
  std::string order;
  events.after_ms(20, [&] {
    order += 'c';
    events.stop();
  });
  events.after_ms(1, [&] { order += 'a'; });
  const auto no = events.after_ms(5, [&] { order += 'x'; });
  events.after_ms(10, [&] { order += 'b'; });
  events.cancel(no);
  events.run([] { return false; });
  CHECK(order == "abc");
}

TEST_CASE_METHOD(fixture, "input before an offset is thrown away, also what is still to come") {
  incoming in;
  REQUIRE(in.start(events, std::move(pipe.write), true));
  CHECK(in.receive(0, "abc"));
  in.drop_before(5);
  CHECK(in.consumed() == 3);
  CHECK(in.receive(3, "d"));
  CHECK(in.consumed() == 4);
  CHECK(in.receive(4, "efg"));
  in.write_more(events);
  CHECK(pipe.take() == "fg");
  CHECK(in.consumed() == 7);
  in.drop_before(2);
  CHECK(in.receive(7, "h"));
  in.write_more(events);
  CHECK(pipe.take() == "h");
  in.close(events);
}
