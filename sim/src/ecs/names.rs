//! Names and ARNs: every ECS operation takes either.

/// The name in `cluster-name` or `arn:…:cluster/name`; no cluster means `default`.
pub(super) fn cluster_name(reference: Option<&str>) -> String {
    let reference = reference
        .filter(|text| !text.is_empty())
        .unwrap_or("default");
    after_slash(reference).to_owned()
}

/// `cluster/name` of a service given as a name in a cluster, or as an ARN.
pub(super) fn service_id(cluster: Option<&str>, service: &str) -> String {
    match service.split_once(":service/") {
        Some((_, long)) if long.contains('/') => long.to_owned(),
        Some((_, short)) => format!("{}/{short}", cluster_name(cluster)),
        None => format!("{}/{service}", cluster_name(cluster)),
    }
}

/// The id in `id` or `arn:…:task/cluster/id`.
pub(super) fn task_id(reference: &str) -> &str {
    after_slash(reference)
}

fn after_slash(reference: &str) -> &str {
    reference
        .rsplit_once('/')
        .map_or(reference, |(_, name)| name)
}
