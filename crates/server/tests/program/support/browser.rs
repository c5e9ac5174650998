//! A browser on the pages of the real program.

use zenml_auth_testkit::server::hidden_field;

use super::Client;

/// A browser that signed in, with what it needs to sign out again.
#[derive(Clone)]
pub struct Browser {
    cookies: Vec<String>,
    csrf: String,
}

impl Browser {
    /// Signs in with a password; or tells the status of what went wrong.
    pub fn sign_in(client: &Client, name: &str, password: &str) -> Result<Self, u16> {
        let mut browser = Self {
            cookies: Vec::new(),
            csrf: String::new(),
        };
        browser.open(client, "/login")?;
        let form = format!("csrf={}&username={name}&password={password}", browser.csrf);
        match browser.send(client, "POST", "/login", &form) {
            // Another csrf token goes with the session.
            (303, _) => browser.open(client, "/devices").map(|()| browser),
            (status, _) => Err(status),
        }
    }

    /// The cookies that it was given.
    pub fn cookies(&self) -> &[String] {
        &self.cookies
    }

    /// The page of the devices, which only those see who have signed in: with status 200, or 303 to the form where they would.
    pub fn devices(&self, client: &Client) -> (u16, String) {
        self.clone().send(client, "GET", "/devices", "")
    }

    /// The status of that page.
    pub fn status(&self, client: &Client) -> u16 {
        self.devices(client).0
    }

    /// Signs out; 303 is a success.
    pub fn sign_out(&self, client: &Client) -> u16 {
        let form = format!("csrf={}", self.csrf);
        self.clone().send(client, "POST", "/logout", &form).0
    }

    /// Opens a page with a form.
    fn open(&mut self, client: &Client, path: &str) -> Result<(), u16> {
        match self.send(client, "GET", path, "") {
            (200, page) => {
                self.csrf = hidden_field(&page, "csrf");
                Ok(())
            }
            (status, _) => Err(status),
        }
    }

    /// Sends a request with its cookies, and takes those of the answer.
    fn send(&mut self, client: &Client, method: &str, path: &str, body: &str) -> (u16, String) {
        let cookies = format!("Cookie: {}\r\n", self.cookies.join("; "));
        let answer = client.talk(method, path, &cookies, body).unwrap();
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("set-cookie")
                && let Some(cookie) = value.split(';').next()
            {
                self.cookies.push(cookie.to_owned());
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, page.to_owned())
    }
}
