//! `POST /alerts/acknowledge`: acknowledges several alerts of the list, with the token once.

use axum::extract::Request;
use bakau_dashboards::{
    page,
    view::{AcknowledgeForm, TakeAnswer, TakeForm},
};
use bakau_model::Level;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        access::Writer,
        call::{Answered, Call},
        error::{ApiError, ProblemType},
        form,
        query::Params,
    },
    pages::views,
    read::gather::Gatherer,
    v1::alerts::{acknowledgement_texts, find, record_acknowledgement},
};

/// Most alerts of one form.
const MOST: usize = 50;

/// Fields of the form that acknowledges several alerts.
#[derive(Debug, Default, PartialEq, Deserialize, ToSchema)]
pub(crate) struct TakeFields {
    /// Who takes care of them, 1 to 80 characters.
    #[schema(required)]
    name: String,
    /// At most 1000 characters.
    note: String,
    /// The admin token.
    #[schema(required)]
    token: String,
    /// The id of an alert, a point and the level that the page showed; once for each alert, at most 50 times.
    #[schema(required)]
    alert: Vec<String>,
}

impl TakeFields {
    /// A field may come several times, which a form read into a structure does not allow.
    fn of(pairs: Vec<(String, String)>) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => fields.name = value,
                "note" => fields.note = value,
                "token" => fields.token = value,
                "alert" if !fields.alert.contains(&value) => fields.alert.push(value),
                _ => {}
            }
        }
        fields
    }

    /// What is wrong with the form as a whole.
    fn check(&self) -> Result<(), ApiError> {
        acknowledgement_texts(&self.name, Some(&self.note))?;
        if self.alert.is_empty() {
            return Err(ApiError::body("alert", "body_alert_none"));
        }
        if MOST < self.alert.len() {
            return Err(ApiError::body("alert", "body_alert_many").with("allowed", &MOST.to_string()));
        }
        Ok(())
    }
}

/// The id of an alert, and the level that was shown.
fn chosen(value: &str) -> (&str, Option<Level>) {
    match value.split_once('.') {
        Some((id, level)) => (id, level.parse().ok()),
        None => (value, None),
    }
}

/// The form's answer: the list, with what became of each alert.
pub(crate) async fn acknowledge(call: Call, request: Request) -> Answered {
    let (language, state) = (call.language(), &call.state);
    let fields = TakeFields::of(form::read(request).await?);
    let writer = Writer::from_form(state, fields.token.trim()).await;
    let writer = match writer.and_then(|writer| fields.check().map(|()| writer)) {
        Ok(writer) => writer,
        Err(error) => return refused(&call, fields, error).await,
    };
    let mut answers = Vec::with_capacity(fields.alert.len());
    for value in &fields.alert {
        let (id, level) = chosen(value);
        let taken = record_acknowledgement(state, &writer, id, (&fields.name, level), Some(&fields.note)).await;
        // Whoever sends the form shows its answer on the same screen, so it names nobody.
        let alert = find(&state.alerts, id).await.ok();
        let alert = alert.map(|(_, detail)| Gatherer::new(state).alert_row(&detail.alert, false));
        answers.push(TakeAnswer { alert, refused: taken.err().map(|error| told(error).detail_text(language)) });
    }
    let form = TakeForm { answers, ..TakeForm::default() };
    views::show(&call, page::alerts(&views::alerts_view(&call, &list(&call), form, false).await?))
}

async fn refused(call: &Call, fields: TakeFields, error: ApiError) -> Answered {
    let error = if error.kind() == ProblemType::TokenRequired { error.detail("body_token") } else { error };
    let form = TakeForm {
        fields: AcknowledgeForm { name: fields.name, note: fields.note },
        error: Some(error.detail_text(call.language())),
        answers: Vec::new(),
    };
    let mut view = views::alerts_view(call, &list(call), form, false).await?;
    let ids: Vec<&str> = fields.alert.iter().map(|value| chosen(value).0).collect();
    for alert in &mut view.alerts {
        let sent = ids.contains(&alert.id.as_str());
        alert.chosen = alert.chosen.map(|_| sent);
    }
    let mut response = views::show(call, page::alerts(&view))?;
    *response.status_mut() = error.kind().status();
    Ok(response)
}

/// Without the name of whoever was faster: the answer names nobody.
fn told(error: ApiError) -> ApiError {
    match error.kind() {
        ProblemType::AlreadyAcknowledged => error.detail("body_alert_taken"),
        _ => error,
    }
}

/// The whole list: what was filtered is not in the form.
fn list(call: &Call) -> Params {
    Params::lenient(&call.uri, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn fields(alerts: usize) -> TakeFields {
        let mut pairs = vec![pair("name", "Sari"), pair("token", "t"), pair("other", "x")];
        pairs.extend((0..alerts).map(|n| pair("alert", &format!("{n:04}.siaga"))));
        TakeFields::of(pairs)
    }

    #[test]
    fn a_form_names_one_to_fifty_alerts_each_once() {
        assert!(fields(0).check().is_err() && fields(1).check().is_ok());
        assert!(fields(50).check().is_ok() && fields(51).check().is_err());
        let twice = TakeFields::of(vec![pair("name", "Sari"), pair("alert", "a.siaga"), pair("alert", "a.siaga")]);
        assert_eq!(twice.alert, ["a.siaga"]);
        assert!(TakeFields { name: " ".to_owned(), ..fields(1) }.check().is_err());
    }

    #[test]
    fn the_level_that_was_shown_stands_behind_the_id() {
        assert_eq!(chosen("9f2c.siaga"), ("9f2c", Some(Level::Siaga)));
        assert_eq!(chosen("9f2c"), ("9f2c", None));
        assert_eq!(chosen("9f2c.merah"), ("9f2c", None));
    }
}
