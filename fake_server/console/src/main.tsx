// The console's start: the shell around the page of the address.
import "./style.css";
import "./app.css";
import "./simulation.css";
import { render } from "preact";
import { Shell } from "./components/shell";

const root = document.getElementById("root");
if (root !== null) render(<Shell />, root);
