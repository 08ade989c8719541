#include "actors/io/qmp.hpp"

#include "actors/io/json_text.hpp"

#include <nlohmann/json.hpp>

namespace banger::io::qmp {

using nlohmann::json;

namespace {

tl::unexpected<failure> not_qmp(std::string_view line) {
  return fail(errc::corrupted, "the QMP peer does not speak QMP",
              "got '" + std::string(line.substr(0, 80)) + "'");
}

std::string line_of(std::string_view name, std::string_view arguments, std::uint64_t id) {
  std::string line = "{\"execute\":" + json(name).dump();
  if (!arguments.empty())
    line.append(",\"arguments\":").append(arguments);
  return line + ",\"id\":" + std::to_string(id) + "}\n";
}

// What nests deeper would overrun the stack when it is written out again.
bool too_deep(std::string_view line) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_text && c == '\\')
      ++i;
    else if (c == '"')
      in_text = !in_text;
    else if (!in_text && (c == '{' || c == '[') && ++depth > 64)
      return true;
    else if (!in_text && (c == '}' || c == ']'))
      --depth;
  }
  return false;
}

} // namespace

expected<message> parse_line(std::string_view line) {
  if (too_deep(line))
    return not_qmp(line);
  const auto object = json::parse(line, nullptr, false);
  if (!object.is_object())
    return not_qmp(line);
  message m;
  if (const auto id = object.find("id"); id != object.end() && id->is_number_unsigned())
    m.id = id->get<std::uint64_t>();
  const auto dump = [](const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
  };
  if (object.contains("QMP")) {
    m.what = message::kind::greeting;
  } else if (const auto result = object.find("return"); result != object.end()) {
    m.what = message::kind::result;
    m.body = dump(*result);
  } else if (const auto error = object.find("error"); error != object.end() && error->is_object()) {
    m.what = message::kind::error;
    m.name = text_of(*error, "class");
    m.body = text_of(*error, "desc");
  } else if (m.name = text_of(object, "event"); !m.name.empty()) {
    m.what = message::kind::event;
    m.body = object.contains("data") ? dump(object["data"]) : "{}";
  } else {
    return not_qmp(line);
  }
  return m;
}

void conversation::command(std::string_view name, std::string_view arguments, reply on_reply) {
  const auto what = "QMP command '" + std::string(name) + "' was not sent";
  if (dead())
    return on_reply(fail(errc::disconnected, what, why_));
  if (waiting_.size() >= most_waiting)
    return on_reply(fail(errc::busy, what, "64 commands wait for their answers already"));
  const auto id = next_id_++;
  waiting_.emplace(id, std::move(on_reply));
  auto line = line_of(name, arguments, id);
  if (ready())
    send_(std::move(line));
  else
    unsent_.push_back(std::move(line));
}

void conversation::feed(std::string_view bytes) {
  while (!bytes.empty() && !dead()) {
    const auto end_of_line = bytes.find('\n');
    line_ += bytes.substr(0, end_of_line);
    if (line_.size() > longest_line)
      return end("a QMP line of more than 256 KiB");
    if (end_of_line == std::string_view::npos)
      return;
    bytes.remove_prefix(end_of_line + 1);
    const auto line = std::exchange(line_, {});
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    if (const auto m = parse_line(line))
      take(*m);
    else
      end(describe(m.error()));
  }
}

void conversation::take(const message& m) {
  if (stage_ == stage::greeting) {
    if (m.what != message::kind::greeting)
      return end("QMP did not begin with its greeting");
    stage_ = stage::capabilities;
    return send_("{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
  }
  if (m.what == message::kind::event) {
    if (on_event)
      on_event(m);
    return;
  }
  if (stage_ == stage::capabilities) {
    if (m.what != message::kind::result)
      return end("QMP refused to begin: " + m.body);
    stage_ = stage::ready;
    for (auto& line : std::exchange(unsent_, {}))
      send_(std::move(line));
    return;
  }
  answer(m);
}

void conversation::answer(const message& m) {
  auto found = waiting_.extract(m.id);
  if (found.empty())
    return; // of a command that a daemon before us sent
  if (m.what == message::kind::result)
    return found.mapped()(m.body);
  found.mapped()(fail(errc::operation_failed, "the hypervisor refused a command",
                      m.body.empty() ? m.name : m.body));
}

void conversation::end(std::string why) {
  if (dead())
    return;
  stage_ = stage::dead;
  why_ = std::move(why);
  unsent_.clear();
  for (auto& [id, on_reply] : std::exchange(waiting_, {}))
    on_reply(fail(errc::disconnected, "the QMP connection ended before the answer", why_));
}

} // namespace banger::io::qmp
