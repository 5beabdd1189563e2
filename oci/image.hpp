// An OCI image layout (image-layout.md: oci-layout, index.json, blobs) in the place of a bundle.
//
//   skopeo copy oci-archive:app.tar oci:app:latest
//   gocontainer create web --bundle ./app
//
// It is unpacked by umoci into a bundle of the container's own, which goes with the container; the
// layout stays as it is. What config.json says is ours but for what the image says (image-spec,
// conversion.md): command, environment, working directory, user, volumes, annotations.
#pragma once

#include "oci/lifecycle.hpp"

#include <optional>
#include <string>

namespace oci {

struct Layout {
    std::string folder;
    std::string tag; ///< empty: none was given
};

/// What `path`, absolute, names: FOLDER or FOLDER:TAG. Nothing when it is no layout.
std::optional<Layout> layout_at(const std::string& path);

/// A path for a new bundle, in a folder for them that is made when it is missing:
/// /var/lib/gocontainer, or a user's $XDG_DATA_HOME/gocontainer.
Result<std::string> bundle_place(const Global& global, const std::string& id);

/// How a container wants its bundle.
struct Unpacking {
    std::string id;
    bool terminal = false;
    std::uint64_t signal_mask = 0; ///< for umoci, while we hold signals back
};

/// Make the bundle at `target`. After an error, or a kill, discard() what there is of it.
Result<void> unpack(const Global& global, const Layout& layout, const std::string& target,
                    const Unpacking& how);

/// Remove it, whoever in the container owns what is in it. One that isn't there is fine.
Result<void> discard(const std::string& target);

/// What a container of an image has beyond what config.json can say: the default filter, and an
/// init, so that signals end it whatever it runs.
void harden(spec::Spec& spec);

/// Standard input that never says anything, nor ends: for who has nobody to type.
Result<void> silence_input();

} // namespace oci
