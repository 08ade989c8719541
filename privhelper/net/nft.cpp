#include "privhelper/net/nft.hpp"

#include "messages/base/late_library.hpp"
#include "messages/base/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <linux/netlink.h>
#include <string_view>
#include <sys/socket.h>

// Last: it defines _GNU_SOURCE.
#undef _GNU_SOURCE
#include <nftables/libnftables.h>

namespace banger::net {

namespace {

constexpr auto no_nftables = "load the module nf_tables, or set network.mode = \"user\"";

// Late: a daemon whose VMs have no bridge never needs it.
struct libnftables : late_library {
  libnftables() : late_library("libnftables.so.1") {}
  BANGER_LATE(nft_, ctx_new)
  BANGER_LATE(nft_, ctx_free)
  BANGER_LATE(nft_, ctx_buffer_output)
  BANGER_LATE(nft_, ctx_buffer_error)
  BANGER_LATE(nft_, ctx_get_output_buffer)
  BANGER_LATE(nft_, ctx_get_error_buffer)
  BANGER_LATE(nft_, ctx_set_dry_run)
  BANGER_LATE(nft_, ctx_output_set_flags)
  BANGER_LATE(nft_, run_cmd_from_buffer)
};

const libnftables& nftables() {
  static const libnftables loaded;
  return loaded;
}

// The first line says what the kernel or the parser did not like; what follows is our own text.
std::string reason(nft_ctx* context) {
  std::string_view said = nftables().ctx_get_error_buffer(context);
  said = said.substr(0, said.find('\n'));
  if (const auto at = said.find("Error: "); at != said.npos)
    said.remove_prefix(at + 7);
  return std::string(said);
}

tl::unexpected<failure> refused(nft_ctx* context) {
  const auto why = reason(context);
  const bool gone = why.find("No such file or directory") != why.npos;
  const bool denied = why.find("Operation not permitted") != why.npos;
  if (why.find("Too many open files in system") != why.npos) // what a full set says
    return fail(errc::busy, "nftables has no room for more", "a set of ours is full",
                "stop VMs, or let them share a bridge");
  if (why.find("not supported") != why.npos)
    return fail(errc::unavailable, "this kernel has no nftables", why, no_nftables);
  return fail(gone ? errc::not_found : errc::operation_failed, "nftables refused a change", why,
              denied ? "run the helper as root, or with CAP_NET_ADMIN" : "");
}

} // namespace

void nft::release::operator()(nft_ctx* c) const { nftables().ctx_free(c); }

expected<nft> nft::open() {
  if (auto ok = nftables().usable(); !ok) {
    ok.error().remedy += " (Debian: libnftables1), or set network.mode = \"user\"";
    return tl::unexpected(ok.error());
  }
  // The library ends the process where there is no such socket.
  if (!unique_fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)))
    return fail(errc::unavailable, "this kernel has no nftables", ::strerror(errno), no_nftables);
  nft opened(nftables().ctx_new(NFT_CTX_DEFAULT));
  if (!opened.context_)
    return fail(errc::unavailable, "cannot speak to nftables", "libnftables gives no context");
  if (nftables().ctx_buffer_output(opened.context_.get()) != 0 ||
      nftables().ctx_buffer_error(opened.context_.get()) != 0)
    return fail(errc::operation_failed, "cannot speak to nftables", "out of memory");
  return opened;
}

expected<void> nft::run(const std::string& commands) {
  if (nftables().run_cmd_from_buffer(context_.get(), commands.c_str()) != 0)
    return refused(context_.get());
  return {};
}

expected<void> nft::try_out(const std::string& commands) {
  nftables().ctx_set_dry_run(context_.get(), true);
  auto done = run(commands);
  nftables().ctx_set_dry_run(context_.get(), false);
  return done;
}

expected<nlohmann::json> nft::list(const std::string& command) {
  nftables().ctx_output_set_flags(context_.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE);
  auto done = run(command);
  nftables().ctx_output_set_flags(context_.get(), 0);
  if (!done)
    return tl::unexpected(done.error());
  auto parsed =
      nlohmann::json::parse(nftables().ctx_get_output_buffer(context_.get()), nullptr, false);
  if (parsed.is_discarded())
    return fail(errc::operation_failed, "nftables answers no JSON", "to `" + command + "`");
  return parsed;
}

} // namespace banger::net
