class EcrPreflight < Formula
  desc "Predicts whether a container image will start on its intended runtime"
  homepage "https://github.com/@REPOSITORY@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@URL@/ecr-preflight-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:ecr-preflight-aarch64-apple-darwin.tar.gz@"
    end
    on_intel do
      url "@URL@/ecr-preflight-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:ecr-preflight-x86_64-apple-darwin.tar.gz@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/ecr-preflight-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:ecr-preflight-aarch64-unknown-linux-musl.tar.gz@"
    end
    on_intel do
      url "@URL@/ecr-preflight-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:ecr-preflight-x86_64-unknown-linux-musl.tar.gz@"
    end
  end

  def install
    bin.install "ecr-preflight"
    generate_completions_from_executable(bin/"ecr-preflight", "completions")
    system bin/"ecr-preflight", "man", "--dir", man1
  end

  test do
    assert_match "ecr-preflight #{version}", shell_output("#{bin}/ecr-preflight --version")
    (testpath/"script").write "#!/bin/sh\n"
    assert_match "not an ELF file", shell_output("#{bin}/ecr-preflight binary script --runtime linux/amd64 2>&1", 2)
  end
end
