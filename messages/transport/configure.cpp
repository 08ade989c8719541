#include "messages/actor/help.hpp"
#include "messages/client.hpp"
#include "messages/helper.hpp"
#include "messages/transport/transport.hpp"

#include <caf/io/middleman.hpp>

namespace banger::transport {

namespace {

std::string render(std::uint8_t code, caf::atom_value category, const caf::message& context) {
  return describe(actor::from_error(caf::error{code, category, context}));
}

} // namespace

void register_messages(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::banger>();
  config.add_message_type<messages::vms_facet>("banger::messages::vms_facet");
  config.add_message_type<messages::operations_facet>("banger::messages::operations_facet");
  config.add_message_type<messages::images_facet>("banger::messages::images_facet");
  config.add_message_type<messages::system_facet>("banger::messages::system_facet");
  config.add_message_type<messages::client_actor>("banger::messages::client_actor");
  config.add_error_category(caf::atom("banger"), render);
}

void register_helper_messages(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::banger_helper>();
}

void configure(caf::actor_system_config& config, role who) {
  config.load<caf::io::middleman>();
  // Work stealing wakes up 400 times a second when idle, sharing never.
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", who == role::daemon ? 2 : 1);
  config.set("middleman.attach-utility-actors", who == role::client);
  config.set("middleman.enable-automatic-connections", false);
  register_messages(config);
  if (who != role::client)
    register_helper_messages(config);
}

void prepare(caf::actor_system& system) {
  system.registry().erase(caf::atom("SpawnServ"));
  system.registry().erase(caf::atom("ConfigServ"));
}

} // namespace banger::transport
