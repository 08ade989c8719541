// nftables by its library: one context for a lifetime, text in, JSON out.
#pragma once

#include "messages/base/error.hpp"

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

struct nft_ctx;

namespace banger::net {

/// In the network namespace of the thread that opens it.
class nft {
public:
  static expected<nft> open();

  /// One transaction: all of it, or nothing. `not_found`: a table, chain or element is not there.
  /// `busy`: a set is full.
  expected<void> run(const std::string& commands);
  /// Whether the kernel would take it; nothing changes.
  expected<void> try_out(const std::string& commands);
  /// What a `list ...` command answers.
  expected<nlohmann::json> list(const std::string& command);

private:
  struct release {
    void operator()(nft_ctx* c) const;
  };
  explicit nft(nft_ctx* context) : context_(context) {}

  std::unique_ptr<nft_ctx, release> context_;
};

} // namespace banger::net
