#include "messages/actor/help.hpp"

namespace banger::actor {

namespace {

const auto category = caf::atom("banger");

std::string text_at(const caf::message& context, std::size_t index) {
  return context.match_element<std::string>(index) ? context.get_as<std::string>(index)
                                                   : std::string{};
}

failure from_caf(const caf::error& error) {
  if (error.category() == caf::atom("system"))
    switch (static_cast<caf::sec>(error.code())) {
    case caf::sec::request_timeout: return {errc::timed_out, "no answer in time", "", "", ""};
    case caf::sec::request_receiver_down:
      return {errc::disconnected, "the other side is gone", "", "", ""};
    case caf::sec::unexpected_message:
    case caf::sec::unexpected_actor_messaging_interface:
      return {errc::bad_version, "the other side does not understand this request", "", "", ""};
    default: break;
    }
  return {errc::operation_failed,
          caf::to_string(error.category()) + " error " + std::to_string(error.code()), "",
          "this is a bug, please report it", ""};
}

} // namespace

caf::error to_error(const failure& f) {
  return {static_cast<std::uint8_t>(f.code), category,
          caf::make_message(f.what, f.why, f.remedy, f.operation)};
}

failure from_error(const caf::error& error) {
  if (error.category() != category)
    return from_caf(error);
  const auto& context = error.context();
  return {static_cast<errc>(error.code()), text_at(context, 0), text_at(context, 1),
          text_at(context, 2), text_at(context, 3)};
}

} // namespace banger::actor
