//! What forms send.

use axum::{
    Form,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use serde::de::DeserializeOwned;

use crate::http::error::{ApiError, ProblemType};

/// Reads the fields of a form.
pub(crate) async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    match Form::<T>::from_request(request, &()).await {
        Ok(Form(fields)) => Ok(fields),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(ApiError::new(ProblemType::BodyTooLarge))
        }
        Err(_) => Err(ApiError::new(ProblemType::InvalidBody).detail("body_form")),
    }
}
