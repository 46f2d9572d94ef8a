/** The page that logs a person in. */
export function LoginPage() {
  return (
    <section class="notice">
      <h1>Log in</h1>
      <p>This plane wants credentials, which this page can't get yet.</p>
    </section>
  );
}
