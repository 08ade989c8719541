#include "guest/channel.hpp"
#include "guest/session.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace banger::guest;
using banger::unique_fd;

namespace {

struct conversation {
  loop events;
  session s{events, 7};
  std::string out, err;
  std::vector<frame_type> heard;
  std::vector<std::uint64_t> taken; ///< of the input, as it was told
  std::optional<exited_body> end;
  std::string why; ///< told before it

  conversation() {
    ::signal(SIGPIPE, SIG_IGN);
    REQUIRE(events.open());
  }

  done open(std::vector<std::string> argv, bool tty = false, std::string cwd = "/") {
    open_body order;
    order.argv = std::move(argv);
    order.tty = tty;
    order.cwd = std::move(cwd);
    return s.open(order);
  }
  done say(frame_type type, std::uint64_t offset, const std::string& payload) {
    return s.receive({header{type, stream_id::in, 7, 0, offset}, payload});
  }
  void hear() {
    parser p(frame_type::opened);
    std::string bytes = "";
    encode(bytes, header{frame_type::opened, stream_id::in, 0, 0, 0}, "");
    while (s.next_frame(bytes, 32768)) {
    }
    p.feed(bytes);
    p.next();
    while (auto f = p.next()) {
      heard.push_back(f->head.type);
      if (f->head.type == frame_type::data)
        (f->head.stream == stream_id::out ? out : err) += f->payload;
      if (f->head.type == frame_type::taken) {
        CHECK_FALSE(end);
        taken.push_back(f->head.offset);
      }
      if (f->head.type == frame_type::failed && !end)
        why = decode<failed_body>(f->payload)->text;
      if (f->head.type == frame_type::exited)
        end = decode<exited_body>(f->payload);
    }
  }
  void until_end() {
    bool ended = false;
    events.after_ms(10'000, [this] { events.stop(); });
    const std::function<void()> look = [&] {
      int status = 0;
      if (!ended && ::waitpid(s.pid(), &status, WNOHANG) > 0) {
        s.child_ended(status);
        ended = true;
      }
      events.after_ms(1, look);
    };
    look();
    events.run([&] {
      while (s.move()) {
      }
      hear();
      if (end)
        events.stop();
      return false;
    });
    REQUIRE(end);
  }
};

} // namespace

TEST_CASE_METHOD(conversation, "a command answers with its output apart and its exit status") {
  REQUIRE(open({"sh", "-c", "echo out; echo err >&2; exit 42"}));
  until_end();
  CHECK(heard[0] == frame_type::taken);
  CHECK(heard[1] == frame_type::opened);
  CHECK(heard.back() == frame_type::exited);
  CHECK(std::count(heard.begin(), heard.end(), frame_type::eof) == 2);
  CHECK(out == "out\n");
  CHECK(err == "err\n");
  CHECK(end->kind == exit_kind::exited);
  CHECK(end->value == 42);
}

TEST_CASE_METHOD(conversation, "input goes through a command and comes back") {
  REQUIRE(open({"cat"}));
  REQUIRE(say(frame_type::data, 0, "one "));
  REQUIRE(say(frame_type::data, 4, "two"));
  REQUIRE(say(frame_type::eof, 7, ""));
  until_end();
  CHECK(out == "one two");
  CHECK(end->value == 0);
}

TEST_CASE_METHOD(conversation, "how much of its input a command has read is told before its end") {
  const auto told = [&](std::vector<std::string> argv) {
    REQUIRE(open(std::move(argv)));
    hear(); // before there is something to read
    REQUIRE(say(frame_type::data, 0, "one\ntwo\n"));
    REQUIRE(say(frame_type::eof, 8, ""));
    until_end();
    REQUIRE_FALSE(taken.empty());
    CHECK(taken.front() == 0);
    CHECK(std::is_sorted(taken.begin(), taken.end()));
    return taken.back();
  };
  SECTION("nothing") { CHECK(told({"true"}) == 0); }
  SECTION("a line") {
    CHECK(told({"sh", "-c", "read line; echo $line"}) == 4);
    CHECK(out == "one\n");
  }
  SECTION("all") { CHECK(told({"cat"}) == 8); }
  SECTION("by a program that is not there") { CHECK(told({"no-such-command-anywhere"}) == 0); }
}

TEST_CASE_METHOD(conversation, "a signal ends a command and is told as such") {
  REQUIRE(open({"sleep", "100"}));
  REQUIRE(say(frame_type::signal, 0, encode(signal_body{SIGTERM})));
  until_end();
  CHECK(end->kind == exit_kind::signalled);
  CHECK(end->value == SIGTERM);
}

TEST_CASE_METHOD(conversation, "a signal is confirmed, also when the command has just ended") {
  const auto acks = [&] { return std::count(heard.begin(), heard.end(), frame_type::ack); };
  REQUIRE(open({"sh", "-c", "trap '' TERM; echo up; read -r x"}));
  REQUIRE(say(frame_type::signal, 0, encode(signal_body{SIGWINCH})));
  hear();
  CHECK(acks() == 1);
  REQUIRE(say(frame_type::eof, 0, ""));
  until_end();
  REQUIRE(say(frame_type::signal, 0, encode(signal_body{SIGTERM})));
  hear();
  CHECK(acks() == 2);
}

TEST_CASE_METHOD(conversation,
                 "a command that does not exist is told apart from one that cannot run") {
  SECTION("not found") {
    REQUIRE(open({"no-such-command-anywhere"}));
    until_end();
    CHECK(end->kind == exit_kind::not_found);
    CHECK(end->value == ENOENT);
  }
  SECTION("not executable") {
    REQUIRE(open({"/etc/passwd"}));
    until_end();
    CHECK(end->kind == exit_kind::not_runnable);
    CHECK(end->value == EACCES);
    CHECK(why.empty());
  }
  SECTION("without its interpreter") {
    char name[] = "/tmp/banger-script-XXXXXX";
    {
      const unique_fd fd(::mkstemp(name));
      const std::string_view text = "#!/usr/bin/nosuch\n";
      REQUIRE(::write(fd.get(), text.data(), text.size()) > 0);
      REQUIRE(::fchmod(fd.get(), 0700) == 0);
    }
    REQUIRE(open({name}));
    until_end();
    ::unlink(name);
    CHECK(end->kind == exit_kind::not_runnable);
    CHECK(end->value == ENOENT);
    CHECK(why == "its interpreter '/usr/bin/nosuch' does not exist");
    CHECK(
        s.receive({header{frame_type::attach, stream_id::in, 7, 0, 0}, encode(attach_body{0, 0})}));
    why.clear();
    end.reset();
    hear();
    CHECK(why == "its interpreter '/usr/bin/nosuch' does not exist");
    CHECK(end);
  }
}

TEST_CASE_METHOD(conversation, "a working folder that is not there is refused before the start") {
  const auto bad = open({"true"}, false, "/no/such/folder");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().number == ENOENT);
  CHECK(bad.error().text == "working folder /no/such/folder: No such file or directory");
  CHECK_FALSE(open({}));
}

TEST_CASE_METHOD(conversation, "a terminal is one stream, and its end of input is a character") {
  REQUIRE(open({"sh", "-c", "stty size; cat"}, true));
  REQUIRE(say(frame_type::resize, 0, encode(resize_body{50, 120})));
  REQUIRE(say(frame_type::data, 0, "typed\n"));
  REQUIRE(say(frame_type::eof, 6, ""));
  until_end();
  CHECK(out.find("typed\r\n") != std::string::npos);
  CHECK(err.empty());
  CHECK(end->value == 0);
}

TEST_CASE_METHOD(conversation, "no command at all is a login shell, if there is a terminal") {
  CHECK_FALSE(open({}));
  REQUIRE(open({}, true));
  REQUIRE(say(frame_type::data, 0, "echo name=$0 shell=$SHELL end; exit 3\n"));
  until_end();
  INFO(out);
  CHECK(out.find("name=-") != std::string::npos);
  CHECK(out.find("shell=/") != std::string::npos);
  CHECK(end->kind == exit_kind::exited);
  CHECK(end->value == 3);
}

TEST_CASE_METHOD(conversation, "erasing in a terminal takes whole characters") {
  REQUIRE(open({"sh", "-c", "stty -a"}, true));
  until_end();
  CHECK(out.find(" iutf8") != std::string::npos);
  CHECK(out.find("-iutf8") == std::string::npos);
}

TEST_CASE_METHOD(conversation, "after an attach a command is told again, from where the host was") {
  REQUIRE(open({"sh", "-c", "printf 0123456789"}));
  until_end();
  REQUIRE(out == "0123456789");
  s.detach();
  out.clear();
  hear();
  CHECK(out.empty());
  end.reset();
  REQUIRE(say(frame_type::attach, 0, encode(attach_body{4, 0})));
  hear();
  CHECK(out == "456789");
  CHECK(end);
  CHECK_FALSE(say(frame_type::attach, 0, encode(attach_body{3, 0})));
  CHECK_FALSE(say(frame_type::attach, 0, encode(attach_body{11, 0})));
}

TEST_CASE("the channel greets each host that comes, and forgets half a frame of the last") {
  loop events;
  REQUIRE(events.open());
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  unique_fd host(fds[1]);
  channel c;
  REQUIRE(c.open(events, unique_fd(fds[0])));
  CHECK(c.host_came());
  CHECK_FALSE(c.host_came());
  std::string frames;
  encode(frames, header{frame_type::sync, stream_id::in, 0, 0, 0}, encode(sync_body{1}));
  encode(frames, header{frame_type::ping, stream_id::in, 0, 0, 0}, "half");
  frames.resize(frames.size() - 2);
  REQUIRE(::write(host.get(), frames.data(), frames.size()) == static_cast<ssize_t>(frames.size()));
  host.reset();
  std::vector<frame_type> heard;
  events.after_ms(5, [&] { events.stop(); });
  events.run([&] { return c.receive([&](const frame_view& f) { heard.push_back(f.head.type); }); });
  CHECK(heard == std::vector{frame_type::sync});
  CHECK_FALSE(c.connected());
}

TEST_CASE_METHOD(conversation, "a key that is a signal overtakes input that is not read") {
  REQUIRE(
      open({"sh", "-c", "trap 'echo caught; exit 5' INT; echo begun; while :; do sleep 0.1; done"},
           true));
  const std::string line = std::string(62, 'p') + "\r";
  std::string typed;
  while (typed.size() < 300'000)
    typed += line;
  std::size_t sent = 0;
  bool pressed = false;
  const std::function<void()> act = [&] {
    if (out.find("begun") != std::string::npos && !pressed) {
      for (; sent < typed.size(); sent += std::min<std::size_t>(max_payload, typed.size() - sent))
        CHECK(say(frame_type::data, sent, typed.substr(sent, max_payload)));
      CHECK(say(frame_type::urgent, sent + 70, "\x03"));
      // What was on its way, and the key's own place in it, are thrown away.
      CHECK(say(frame_type::data, sent, std::string(70, 'q') + "\x03"));
      pressed = true;
    }
    events.after_ms(5, act);
  };
  act();
  until_end();
  REQUIRE(end);
  CHECK(end->value == 5);
  CHECK(out.find("caught") != std::string::npos);
  CHECK(out.find('q') == std::string::npos);
}

TEST_CASE_METHOD(conversation, "a key that is none stays a byte in its place") {
  REQUIRE(open({"sh", "-c", "stty raw -echo; echo begun; head -c 4 | od -An -tx1"}, true));
  bool pressed = false;
  const std::function<void()> act = [&] {
    if (out.find("begun") != std::string::npos && !pressed) {
      CHECK(say(frame_type::urgent, 3, "\x03"));
      CHECK(say(frame_type::data, 0, "abc\x03"));
      pressed = true;
    }
    events.after_ms(5, act);
  };
  act();
  until_end();
  CHECK(out.find("61 62 63 03") != std::string::npos);
}

TEST_CASE_METHOD(conversation, "an urgent key is for terminals") {
  REQUIRE(open({"cat"}));
  CHECK_FALSE(say(frame_type::urgent, 0, "\x03"));
  CHECK(say(frame_type::eof, 0, ""));
  until_end();
}
