//! A tenant as a document.

use aipress_api::ApiVersion;
use aipress_api::DocumentKind;
use aipress_api::DocumentMetadata;
use aipress_api::TenantDocument;
use aipress_api::TenantStatus;
use aipress_store::TenantRecord;

use crate::app::tenant;
use crate::config::SiteUrls;

/// The document of a tenant, with its status.
pub(crate) fn of(record: &TenantRecord, sites: &SiteUrls) -> TenantDocument {
    let view = tenant::view(record, sites);
    let status = TenantStatus {
        uid: view.uid,
        state: view.state,
        desired: view.desired,
        message: view.message,
        url: view.url,
        wordpress_version: view.wordpress_version,
        shard: view.shard,
        slot: view.slot,
        generation: view.generation,
        observed_generation: view.observed_generation,
        etag: view.etag,
        created_at: view.created_at,
        updated_at: view.updated_at,
    };
    TenantDocument {
        api_version: ApiVersion::V1,
        kind: DocumentKind::Tenant,
        metadata: DocumentMetadata {
            name: view.name,
            display_name: view.metadata.display_name,
            labels: view.metadata.labels,
            account: Some(record.account),
        },
        spec: view.spec,
        status: serde_json::to_value(status).ok(),
    }
}
