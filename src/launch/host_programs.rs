//! Programs that hosts add to a container when it starts, so that an image does not contain them.

use crate::path::split_parent;

/// The paths of programs that services mount into containers.
///
/// - `/sbin/docker-init` is mounted with `initProcessEnabled` in ECS, and with `docker run --init`.
/// - AWS Lambda's runtime interface emulator is added to images for tests outside Lambda: "Testing Lambda container
///   images locally" in the AWS Lambda developer guide.
const HOST_PROGRAMS: [&[u8]; 2] = [b"/sbin/docker-init", b"/usr/local/bin/aws-lambda-rie"];

/// The directories that the agent of ECS Exec is mounted at: `ContainerDepsDirPrefix` in the ECS agent's
/// `execcmd/manager_init_task_linux.go`, and the directory that Fargate uses.
const HOST_DIRECTORIES: [&[u8]; 2] = [b"/ecs-execute-command-", b"/managed-agents/"];

/// Returns whether a host may add the program with this path, or with this name in `PATH`. `has_nvidia_variables` is
/// whether the image asks the NVIDIA container runtime to do so, which mounts `nvidia-smi`, `nvidia-cuda-mps-control` and
/// others into `/usr/bin` (`utility_bins` and `compute_bins` in libnvidia-container's `nvc_info.c`).
pub fn may_be_added_by_host(path: &[u8], has_nvidia_variables: bool) -> bool {
    let name = split_parent(path).1;
    let is_in = |directory: &[u8]| path.starts_with(directory) || !path.contains(&b'/');
    let is_named = |program: &&[u8]| *program == path || !path.contains(&b'/') && split_parent(program).1 == path;
    HOST_PROGRAMS.iter().any(is_named)
        || HOST_DIRECTORIES.iter().any(|directory| path.starts_with(directory))
        || has_nvidia_variables && name.starts_with(b"nvidia-") && is_in(b"/usr/bin/")
}

#[cfg(test)]
mod tests {
    use super::may_be_added_by_host;

    #[test]
    fn only_known_programs_are_added() {
        for (path, has_nvidia_variables, expected) in [
            ("nvidia-smi", true, true),
            ("/usr/bin/nvidia-cuda-mps-control", true, true),
            ("nvidia-smi", false, false),
            ("/opt/nvidia-smi", true, false),
            ("nvidia", true, false),
            ("/sbin/docker-init", false, true),
            ("docker-init", false, true),
            ("/opt/docker-init", false, false),
            ("/usr/local/bin/aws-lambda-rie", false, true),
            ("/managed-agents/execute-command/amazon-ssm-agent", false, true),
            ("/app", true, false),
        ] {
            assert_eq!(may_be_added_by_host(path.as_bytes(), has_nvidia_variables), expected, "{path}");
        }
    }
}
