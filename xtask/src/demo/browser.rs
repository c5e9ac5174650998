//! A browser without windows: it follows links, fills in forms and keeps cookies, on this machine only.

use std::collections::BTreeMap;

use super::PASSWORD;
use crate::TaskError;
use crate::http::{Answer, Request, request};

pub(super) struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
}

struct Page {
    path: String,
    html: String,
}

impl Browser {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// Opens the link of a machine, signs in if asked to, and approves it.
    pub(super) fn decide(&mut self, link: &str, trust: bool) -> Result<(), TaskError> {
        let mut page = self.open("GET", link, &[])?;
        if page.path.starts_with("/login") {
            say(&page);
            println!("  │ [default] [••••••••]  ‹Sign in›");
            let fields = [
                ("csrf", page.hidden("csrf")?),
                ("next", page.hidden("next")?),
                ("username", "default".to_owned()),
                ("password", PASSWORD.to_owned()),
            ];
            page = self.open("POST", "/login", &borrowed(&fields))?;
        }
        say(&page);
        println!(
            "  │ [{}] Trust this device   ‹Approve›",
            if trust { "x" } else { " " }
        );
        let mut fields = vec![
            ("csrf", page.hidden("csrf")?),
            ("device_id", page.hidden("device_id")?),
            ("user_code", page.hidden("user_code")?),
            ("decision", "approve".to_owned()),
        ];
        if trust {
            fields.push(("trusted", "yes".to_owned()));
        }
        let done = self.open("POST", "/devices/verify/decision", &borrowed(&fields))?;
        say(&done);
        if done.html.contains("Device approved") {
            Ok(())
        } else {
            Err("the device was not approved".into())
        }
    }

    /// Opens the page of a device, and unlocks it.
    pub(super) fn unlock(&mut self, link: &str) -> Result<(), TaskError> {
        let page = self.open("GET", link, &[])?;
        say(&page);
        let csrf = page.hidden("csrf")?;
        let done = self.open("POST", &format!("{link}/unlock"), &[("csrf", &csrf)])?;
        say(&done);
        if done.html.contains("This device is locked") || done.html.contains("name=\"password\"") {
            return Err("the device was not unlocked".into());
        }
        Ok(())
    }

    fn open(&mut self, method: &str, path: &str, body: &[(&str, &str)]) -> Result<Page, TaskError> {
        let address = self.address.clone();
        let mut answer = self.send(request(&address, method, path).form(body))?;
        let mut path = path.to_owned();
        for _ in 0..5 {
            let Some(next) = answer.headers("location").next().map(str::to_owned) else {
                return Ok(Page {
                    path,
                    html: answer.body,
                });
            };
            answer = self.send(request(&address, "GET", &next))?;
            path = next;
        }
        Err("too many redirections".into())
    }

    /// With the cookies, and keeping those that come back.
    fn send(&mut self, request: Request<'_>) -> Result<Answer, TaskError> {
        let sent: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = request.header("Cookie", &sent.join("; ")).send()?;
        for cookie in answer.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }
}

impl Page {
    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> Result<String, TaskError> {
        let marker = format!("name=\"{name}\" value=\"");
        let after = self
            .html
            .split(&marker)
            .nth(1)
            .ok_or_else(|| format!("the page has no field {name}"))?;
        // What stands in these fields has no other escapes.
        Ok(after
            .split('"')
            .next()
            .unwrap_or_default()
            .replace("&#38;", "&")
            .replace("&amp;", "&"))
    }
}

fn borrowed<'a>(fields: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// Shows a page's text, as far as a terminal can.
fn say(page: &Page) {
    let main = page
        .html
        .split("<main>")
        .nth(1)
        .and_then(|rest| rest.split("</main>").next())
        .unwrap_or_default();
    let mut text = String::new();
    let mut in_tag = false;
    for character in main.replace("</dt>", ": ").replace("</h1>", "\n").chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            other if !in_tag => text.push(other),
            _ => {}
        }
    }
    println!("  ┌ browser");
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        println!("  │ {line}");
    }
}
